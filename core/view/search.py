"""What is looked for, and a page of what is found: newest first, by the number of its first record."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from urllib.parse import urlencode

__all__ = ["Facets", "Filters", "Page", "Row", "beside", "facets", "find", "named", "words"]

PAGE = 50
COUNTED = 2000
"""Most records with the words that are counted; the page says where there are more."""
COLUMNS = "records.id, name, seed, state, round, stage, reason, arm, learner, source, place"


@dataclass(frozen=True)
class Filters:
    """What a record has to be; empty means whatever. `q` are words, the last of them unfinished."""

    q: str = ""
    state: str = ""
    reason: str = ""
    round: str = ""
    stage: str = ""
    arm: str = ""
    skill: str = ""
    learner: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Filters:
        """The filters of an address; what it says beside them is passed over."""
        return cls(**{one.name: query.get(one.name, "").strip()[:200] for one in fields(cls)})

    @property
    def given(self) -> dict[str, str]:
        """Those that are not empty."""
        return {one.name: value for one in fields(self) if (value := getattr(self, one.name))}

    def address(self, **more: object) -> str:
        """As the query of an address."""
        return urlencode({**self.given, **more})


@dataclass(frozen=True, slots=True)
class Row:
    """A record found, and where it stands."""

    id: int
    name: str
    seed: str
    state: str
    round: int
    stage: str
    reason: str
    arm: str
    learner: str
    source: str
    place: int


@dataclass(frozen=True)
class Page:
    """Records found, newest first. `total` is None where there are more than are counted."""

    rows: list[Row]
    total: int | None
    newer: bool
    older: bool


@dataclass(frozen=True)
class Facets:
    """What there is to filter by, with counts; `records` is how many there are."""

    records: int
    values: dict[str, dict[str, int]]


def find(db: sqlite3.Connection, filters: Filters, after: int = 0, before: int = 0) -> Page:
    """The page of older records after number `after`, of newer ones before `before`, or the first."""
    tables, conditions, values = _parts(filters)
    if before:
        cut, order, edge = "records.id > ?", "ASC", [before]
    elif after:
        cut, order, edge = "records.id < ?", "DESC", [after]
    else:
        cut, order, edge = "1", "DESC", []
    # Words that many records have are looked up but once: what is counted gives the first page, too.
    counted = COUNTED + 1 if filters.q else -1
    first = not (before or after) and filters.q != ""
    ordered = f"ORDER BY {_key(filters)} {order} LIMIT ?"
    query = f"SELECT {COLUMNS} FROM {tables} WHERE {conditions} AND {cut} {ordered}"
    found = db.execute(query, (*values, *edge, counted if first else PAGE + 1)).fetchall()
    total = len(found)
    if not first:
        counting = f"SELECT COUNT(*) FROM (SELECT 1 FROM {tables} WHERE {conditions} LIMIT ?)"
        total = db.execute(counting, (*values, counted)).fetchone()[0]
    rows, more = [Row(*row) for row in found[:PAGE]], len(found) > PAGE
    if before:
        rows.reverse()
    return Page(
        rows=rows,
        total=None if total == counted else total,
        newer=more if before else bool(after),
        older=bool(before) or more,
    )


def beside(db: sqlite3.Connection, filters: Filters, record: int) -> tuple[str, str]:
    """Names of the next newer and the next older record among those found; empty where there is none."""
    tables, conditions, values = _parts(filters)
    names = []
    for cut, order in ((">", "ASC"), ("<", "DESC")):
        query = (
            f"SELECT name FROM {tables} WHERE {conditions} AND records.id {cut} ?"
            f" ORDER BY {_key(filters)} {order} LIMIT 1"
        )
        row = db.execute(query, (*values, record)).fetchone()
        names.append(row[0] if row else "")
    return names[0], names[1]


def named(db: sqlite3.Connection, name: str) -> Row | None:
    """The record of this name; a sample rather than a rejection, the latest of several."""
    query = f"SELECT {COLUMNS} FROM records WHERE name = ? ORDER BY state = 'dropped', id DESC LIMIT 1"
    row = db.execute(query, (name,)).fetchone()
    return Row(*row) if row else None


def facets(db: sqlite3.Connection) -> Facets:
    """All values that occur, the commonest first."""
    columns = ("state", "reason", "round", "stage", "arm", "learner")
    counts: dict[str, Counter[str]] = {name: Counter() for name in (*columns, "skill")}
    total = 0
    listed = ", ".join(columns)
    for *values, n in db.execute(f"SELECT {listed}, COUNT(*) FROM records GROUP BY {listed}"):
        total += n
        for name, value in zip(columns, values, strict=True):
            if value != "":
                counts[name][str(value)] += n
    query = "SELECT tag, COUNT(*) FROM records JOIN tags ON record = records.id GROUP BY tag"
    counts["skill"].update(dict(db.execute(query).fetchall()))
    return Facets(total, {name: dict(found.most_common()) for name, found in counts.items()})


def words(text: str) -> list[str]:
    """What is looked for, as it is to be marked in what is found: phrases in quotes, else words."""
    return [phrase or word for phrase, word in re.findall(r'"([^"]+)"|([^\s"]+)', text)]


def _key(filters: Filters) -> str:
    """The number to order by: that of the words, where they lead, is in order already."""
    return "texts.rowid" if _match(filters.q) else "records.id"


def _parts(filters: Filters) -> tuple[str, str, list[str]]:
    """The tables to look in, what has to hold, and its values."""
    tables, conditions, values = "records", ["1"], []
    match = _match(filters.q)
    if match:
        tables = "texts CROSS JOIN records ON records.id = texts.rowid"
        conditions, values = ["texts MATCH ?"], [match]
    for name, value in filters.given.items():
        if name == "skill":
            conditions.append("EXISTS (SELECT 1 FROM tags WHERE tag = ? AND record = records.id)")
            values.append(value)
        elif name != "q":
            conditions.append(f"records.{name} = ?")
            values.append(value)
    return tables, " AND ".join(conditions), values


def _match(text: str) -> str:
    """The words as FTS5 asks for them, all to be there, the last perhaps longer; empty without any."""
    found = [part for part in words(text) if re.search(r"\w", part)]
    quoted = ['"' + part.replace('"', "") + '"' for part in found]
    if quoted and len(found[-1]) > 1 and not text.rstrip().endswith('"'):
        quoted[-1] += "*"
    return " AND ".join(quoted)
