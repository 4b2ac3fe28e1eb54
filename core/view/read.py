"""A record found, read from where it stands: a line of a data file, or a result in the journal."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from synth.records import Rejection, Sample
from synth.view.search import Row

__all__ = ["read"]


def read(run: Path, row: Row, journal: sqlite3.Connection | None) -> Sample | Rejection | None:
    """The record; None where the run has rewritten it since it was indexed."""
    try:
        plain = _journaled(row, journal) if row.source.startswith("journal/") else _line(run, row)
        kind = Rejection if row.state == "dropped" else Sample
        return kind.model_validate(plain) if plain is not None else None
    except (OSError, orjson.JSONDecodeError, ValidationError, LookupError):
        return None


def _line(run: Path, row: Row) -> Any:
    number, _, kind = row.source.partition("/")
    with (run / "rounds" / number / "data" / f"{kind}.jsonl").open("rb") as file:
        file.seek(row.place)
        return orjson.loads(file.readline())


def _journaled(row: Row, journal: sqlite3.Connection | None) -> Any:
    if journal is None:
        return None
    stage = row.source.removeprefix("journal/")
    query = "SELECT payload FROM results WHERE stage = ? AND seed = ?"
    found = journal.execute(query, (stage, row.seed)).fetchone()
    if found is None:
        return None
    return orjson.loads(found[0])["rejections" if row.state == "dropped" else "samples"][row.place]
