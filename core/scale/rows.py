"""A journal's rows on their way: out of one journal, into a segment in the store, into another journal."""

from __future__ import annotations

import gzip
import sqlite3
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

import orjson

__all__ = ["PARTS", "Marks", "Rows", "added_since", "pack", "unpack"]

PARTS = {
    "sends": "key, session, at",
    "calls": "key, stage, agent, role, model, weights, prompt_tokens, completion_tokens, seconds, at,"
    " request, reply",
    "failures": "key, session, kind, detail, attempts, raw, at",
    "starts": "session, replayed, at",
    "results": "stage, seed, position, kept, rejected, payload",
}
"""Tables of a journal that belong to a shard, and their columns without the row's number."""

Rows = dict[str, list[tuple[Any, ...]]]
"""Table -> rows, with the columns of `PARTS`."""
Marks = dict[str, int]
"""Table -> number of the last row that was taken."""


def added_since(connection: sqlite3.Connection, marks: Mapping[str, int]) -> tuple[Rows, Marks]:
    """Rows added after `marks` in one view of the journal, and the marks to ask with next time.

    Of `starts`, whose counts grow, all rows.
    """
    rows: Rows = {}
    after: Marks = {}
    connection.execute("BEGIN")
    try:
        for part, columns in PARTS.items():
            last = 0 if part == "starts" else marks.get(part, 0)
            query = f"SELECT rowid, {columns} FROM {part} WHERE rowid > ? ORDER BY rowid"
            found = connection.execute(query, (last,)).fetchall()
            rows[part] = [row[1:] for row in found]
            after[part] = found[-1][0] if found else last
    finally:
        connection.execute("COMMIT")
    return rows, after


def pack(rows: Rows) -> bytes:
    """As one segment of the store."""
    return gzip.compress(orjson.dumps(rows, default=_encode), compresslevel=1, mtime=0)


def unpack(segment: bytes) -> Rows:
    """What `pack` packed."""
    plain = orjson.loads(gzip.decompress(segment))
    return {part: [tuple(_decode(value) for value in row) for row in rows] for part, rows in plain.items()}


def _encode(value: object) -> dict[str, str]:
    if isinstance(value, bytes):
        return {"b": b64encode(value).decode()}
    raise TypeError(type(value).__name__)


def _decode(value: Any) -> Any:
    return b64decode(value["b"]) if isinstance(value, dict) else value
