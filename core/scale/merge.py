"""Shards' journals become part of the run's: every row once, however often and whenever it is tried."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from synth.engine.tolerance import FAULTS
from synth.errors import RunError
from synth.journal import Journal
from synth.runs.runfiles import open_readonly
from synth.scale.rows import PARTS, Marks, Rows, added_since, unpack
from synth.scale.shards import StagePlace
from synth.scale.store import Store

__all__ = ["Merged", "Merger", "merge_rest", "pour", "take_over", "whole"]

_MARKS = """
CREATE TABLE IF NOT EXISTS merged(
  source TEXT NOT NULL, part TEXT NOT NULL, upto INTEGER NOT NULL, PRIMARY KEY(source, part))
"""
_MARK = "INSERT INTO merged VALUES(?,?,?) ON CONFLICT(source, part) DO UPDATE SET upto = excluded.upto"
_SHARED = (
    "INSERT INTO meta VALUES('shared', ?) ON CONFLICT(key) DO UPDATE SET value = CAST(value AS INTEGER) + ?"
)


@dataclass
class Merged:
    """What came with one merge: results that are new to the run, and completion tokens by role."""

    payloads: list[bytes] = field(default_factory=list)
    tokens: dict[str, int] = field(default_factory=dict)


class Merger:
    """Merges the shards of one stage (`ROUND/NAME`) into a run's journal. Not for two threads at once."""

    def __init__(self, journal: Path, place: StagePlace, stage: str) -> None:
        self._place, self._stage = place, stage
        self._connection = sqlite3.connect(journal, timeout=60, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute(_MARKS)

    def close(self) -> None:
        self._connection.close()

    def finished(self, title: str) -> bool:
        """Whether a shard was merged to its end."""
        return bool(self._marks(title).get("end"))

    def faulty(self, title: str) -> bool:
        """Whether a shard that is not merged to its end gave results with faults, which are made anew."""
        return bool(self._marks(title).get("faults"))

    def merge(self, title: str, end: bool = False) -> Merged:
        """Take over what is new of a shard, by name and attempt; `end` says that its worker is done with it.

        Raises `RunError` if at the end a seed has no result.
        """
        shard = title.rpartition(".")[0]
        merged = Merged()
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            if self._place.store.in_place:
                self._from_file(shard, title, end, merged)
            else:
                self._from_segments(shard, int(title.rpartition(".")[2]), merged)
            if any(map(_has_faults, merged.payloads)):
                connection.execute(_MARK, (self._source(title), "faults", 1))
            if end:
                self._check(title)
                connection.execute(_MARK, (self._source(title), "end", 1))
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        return merged

    def _from_file(self, shard: str, title: str, end: bool, merged: Merged) -> None:
        assert self._place.store.local is not None
        path = self._place.store.local / self._place.folder / "journals" / f"{shard}.db"
        if not path.is_file():
            return
        marks = self._marks(shard)
        other = open_readonly(path)
        try:
            rows, after = added_since(other, marks)
            if end:  # a result that was made anew may have the row number of the one before
                wanted = {seed.id for seed in self._place.shard(title).seeds}
                query = f"SELECT {PARTS['results']} FROM results WHERE stage = ?"
                rows["results"] = [row for row in other.execute(query, (self._stage,)) if row[1] in wanted]
        except sqlite3.OperationalError:  # another process is about to make its tables
            return
        finally:
            other.close()
        self._pour(rows, merged)
        source = self._source(shard)
        self._connection.executemany(_MARK, [(source, part, upto) for part, upto in after.items()])

    def _from_segments(self, shard: str, attempt: int, merged: Merged) -> None:
        source = self._source(f"{shard}/segments")
        query = "SELECT part FROM merged WHERE source = ?"
        known = frozenset(part for (part,) in self._connection.execute(query, (source,)))
        for name, segment in self._place.segments(shard, known):
            rows = unpack(segment)
            if int(name.partition(".")[0]) != attempt:
                rows.pop("results", None)
            self._pour(rows, merged)
            self._connection.execute(_MARK, (source, name, 1))

    def _pour(self, rows: Rows, merged: Merged) -> None:
        shared, fresh = pour(self._connection, rows)
        if shared:
            self._connection.execute(_SHARED, (str(shared), shared))
        merged.payloads += fresh
        for row in rows.get("calls", ()):
            merged.tokens[row[3]] = merged.tokens.get(row[3], 0) + row[7]

    def _check(self, title: str) -> None:
        """Every seed of the shard has a result now."""
        seeds = [seed.id for seed in self._place.shard(title).seeds]
        query = "SELECT COUNT(*) FROM results WHERE stage = ? AND seed = ?"
        lost = sum(not self._connection.execute(query, (self._stage, seed)).fetchone()[0] for seed in seeds)
        if lost:
            raise RunError(
                f"the shard {title} of {self._stage} is marked as done, and {lost} of its {len(seeds)} "
                f"results are not in {self._place.store.url}",
                f"take its mark away ({self._place.folder}/done/{title}); the same command then makes them",
            )

    def _marks(self, shard: str) -> Marks:
        query = "SELECT part, upto FROM merged WHERE source = ?"
        return dict(self._connection.execute(query, (self._source(shard),)).fetchall())

    def _source(self, name: str) -> str:
        return f"{self._stage}/{name}"


def _has_faults(payload: bytes) -> bool:
    return any(said["reason"] in FAULTS for said in orjson.loads(payload)["rejections"])


def merge_rest(journal: Path, store: Store) -> None:
    """Take over what workers did since the head last looked, of whatever stage."""
    for stage, place in StagePlace.all(store).items():
        merger = Merger(journal, place, stage)
        try:
            finished = set(place.finished())
            for title in place.shards():
                if not merger.finished(title):
                    merger.merge(title, title in finished)
        finally:
            merger.close()


async def take_over(journal: Journal) -> None:
    """Before a run goes on without workers: what they did for it."""
    await journal.flush()
    store = _store_of(journal.path)
    if store is not None:
        await asyncio.to_thread(merge_rest, journal.path, store)


@contextmanager
def whole(folder: Path) -> Iterator[Path]:
    """A run's journal with all that its shards' journals have: the run's own, or a copy made for now."""
    journal = folder / "journal.db"
    store = _store_of(journal)
    if store is None or not StagePlace.all(store):
        yield journal
        return
    with tempfile.TemporaryDirectory(prefix="synth-journal-") as scratch:
        copy = Path(scratch) / "journal.db"
        source, target = open_readonly(journal), sqlite3.connect(copy)
        source.backup(target)
        source.close()
        target.close()
        merge_rest(copy, store)
        yield copy


def _store_of(journal: Path) -> Store | None:
    """Where the workers of a run met, if it had any and has not taken over all that they made."""
    if not journal.is_file():
        return None
    try:
        connection = open_readonly(journal)
        try:
            said = dict(connection.execute("SELECT key, value FROM meta"))
        finally:
            connection.close()
    except sqlite3.Error:  # whoever asks will find out what is wrong with it
        return None
    if "scale-store" not in said or said.get("state") == "finished":
        return None
    return Store(said["scale-store"], said["scale-journals"] == "files")


def pour(connection: sqlite3.Connection, rows: Rows) -> tuple[int, list[bytes]]:
    """Insert rows into a journal, in a transaction of the caller's.

    Returns how many calls it had from elsewhere, and the payloads of results it did not have yet.
    """
    for part in ("sends", "failures"):
        connection.executemany(_insert(part), rows.get(part, ()))
    shared = sum(not connection.execute(_insert("calls"), row).rowcount for row in rows.get("calls", ()))
    connection.executemany(
        f"{_insert('starts')} ON CONFLICT(session) DO UPDATE SET replayed = MAX(replayed, excluded.replayed)",
        rows.get("starts", ()),
    )
    fresh = [
        row[5] for row in rows.get("results", ()) if connection.execute(_insert("results"), row).rowcount
    ]
    return shared, fresh


def _insert(part: str) -> str:
    ignore = " OR IGNORE" if part in ("calls", "results") else ""
    values = ",".join("?" * len(PARTS[part].split(",")))
    return f"INSERT{ignore} INTO {part}({PARTS[part]}) VALUES({values})"
