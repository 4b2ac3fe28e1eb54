"""The journal: one SQLite file that makes a run a pure function of its seeds.

Every model call is stored under the hash of what was asked and of whom (model, weights
version, messages, sampling, schema, sample index), never of source code. After a crash the
same command finds finished calls here and sends only what was never answered.

One writer thread commits in batches (WAL). Two promises carry the audit:

* a call's *send* is committed before the request leaves (`intend`), and
* a reply counts as received only once it is committed (`record`),

so a process killed at any moment repeats at most the calls that were in flight. Nothing
here depends on the clock: what came before what is told by row numbers, never by times.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from synth.errors import RunError
from synth.writer import Row, Writer

__all__ = ["CallRow", "Journal", "StageRow"]

SCHEMA_VERSION = "1"

_TABLES = """
CREATE TABLE IF NOT EXISTS calls(
  id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, stage TEXT NOT NULL, agent TEXT NOT NULL,
  role TEXT NOT NULL, model TEXT NOT NULL, weights TEXT NOT NULL,
  prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL,
  seconds REAL NOT NULL, at REAL NOT NULL, request BLOB NOT NULL, reply BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS sends(
  id INTEGER PRIMARY KEY, key BLOB NOT NULL, session TEXT NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS failures(
  id INTEGER PRIMARY KEY, key BLOB NOT NULL, session TEXT NOT NULL, kind TEXT NOT NULL,
  detail TEXT NOT NULL, attempts INTEGER NOT NULL, raw TEXT NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS starts(
  id INTEGER PRIMARY KEY, session TEXT NOT NULL UNIQUE, replayed INTEGER NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS results(
  stage TEXT NOT NULL, seed TEXT NOT NULL, position INTEGER NOT NULL, kept INTEGER NOT NULL,
  rejected INTEGER NOT NULL, payload BLOB NOT NULL, PRIMARY KEY(stage, seed));
CREATE TABLE IF NOT EXISTS stages(
  round INTEGER NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL, started REAL NOT NULL,
  finished REAL, info TEXT NOT NULL DEFAULT '{}', PRIMARY KEY(round, name));
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

_NOTE_START = """
INSERT INTO starts(session, replayed, at) VALUES(?,?,?)
ON CONFLICT(session) DO UPDATE SET replayed = excluded.replayed
"""

_SEND = "INSERT INTO sends(key, session, at) VALUES(?,?,?)"
_CALL = (
    "INSERT OR IGNORE INTO calls(key, stage, agent, role, model, weights, request, reply,"
    " prompt_tokens, completion_tokens, seconds, at) VALUES(?,?,?,?,?,?,?,?,?,?,?,?)"
)
_AT_ONCE = (64, 16, 4, 1)
"""Rows of one statement: few sizes, so that SQLite compiles few statements."""


@dataclass(frozen=True, slots=True)
class CallRow:
    """One answered call, as it is stored."""

    key: bytes
    stage: str
    agent: str
    role: str
    model: str
    weights: str
    request: bytes
    reply: bytes
    prompt_tokens: int
    completion_tokens: int
    seconds: float


@dataclass(frozen=True, slots=True)
class StageRow:
    """State of one stage of one round; `info` holds its counts."""

    round: int
    name: str
    status: str
    started: float
    finished: float | None
    info: dict[str, Any]


class Journal:
    """Open journal of one run. Reads are synchronous, writes go through one thread.

    `earlier`, where it is set, is asked for replies that are not here: another run's journal
    that this run replays. `replayed` counts the calls served instead of paid in this start;
    it is on disk with whatever was written after them.

    Raises `RunError` if the file cannot be opened or written, or belongs to a newer version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.session = uuid.uuid4().hex[:12]
        self.earlier: Callable[[bytes], bytes | None] | None = None
        self.replayed = 0
        self._noted = -1
        try:
            self._reader = self._connect()
            self._reader.executescript(_TABLES)
            self._check_version()
        except sqlite3.Error as error:
            raise RunError(
                f"the journal {path} cannot be opened: {error}",
                "check the folder's permissions and free space, or start anew with --fresh",
            ) from error
        self._writer = Writer(self._connect, self._commit, self._as_run_error)

    # -- reading ---------------------------------------------------------------------------

    def find(self, key: bytes) -> bytes | None:
        """The stored reply for a call key, or None if it was never answered."""
        row = self._reader.execute("SELECT reply FROM calls WHERE key = ?", (key,)).fetchone()
        if row is None:
            return self.earlier(key) if self.earlier else None
        return row[0]  # type: ignore[no-any-return]

    def finished_seeds(self, stage: str) -> set[str]:
        """Ids of the seeds whose result is stored for this stage."""
        return {row[0] for row in self._reader.execute("SELECT seed FROM results WHERE stage = ?", (stage,))}

    def results(self, stage: str) -> Iterator[bytes]:
        """Stored result payloads of a stage, in the order of its seeds."""
        # A connection of its own: the caller may query others while it iterates.
        connection = self._connect()
        try:
            query = "SELECT payload FROM results WHERE stage = ? ORDER BY position, seed"
            for row in connection.execute(query, (stage,)):
                yield row[0]
        finally:
            connection.close()

    def result_counts(self, stage: str) -> tuple[int, int, int]:
        """Seeds finished, samples kept and rejections of a stage."""
        query = (
            "SELECT COUNT(*), COALESCE(SUM(kept), 0), COALESCE(SUM(rejected), 0) FROM results WHERE stage = ?"
        )
        row = self._reader.execute(query, (stage,)).fetchone()
        return int(row[0]), int(row[1]), int(row[2])

    def stages(self) -> list[StageRow]:
        """All stages begun so far, in the order they began."""
        query = "SELECT round, name, status, started, finished, info FROM stages ORDER BY rowid"
        rows = self._reader.execute(query)
        return [
            StageRow(n, name, status, start, end, json.loads(info))
            for n, name, status, start, end, info in rows
        ]

    def stage(self, round_number: int, name: str) -> StageRow | None:
        """One stage's row, or None if it was never begun."""
        return next((s for s in self.stages() if (s.round, s.name) == (round_number, name)), None)

    def tokens(self) -> tuple[int, int]:
        """Prompt and completion tokens of all paid calls."""
        query = "SELECT COALESCE(SUM(prompt_tokens), 0), COALESCE(SUM(completion_tokens), 0) FROM calls"
        row = self._reader.execute(query).fetchone()
        return int(row[0]), int(row[1])

    def tokens_since(self, last: int) -> tuple[int, list[tuple[str, str, int, int]]]:
        """(role, model, prompt tokens, completion tokens) of the calls paid after row `last`,
        added up, and the row to ask from next time: following a run costs a look at what is new."""
        query = (
            "SELECT role, model, SUM(prompt_tokens), SUM(completion_tokens), MAX(id) FROM calls"
            " WHERE id > ? GROUP BY role, model"
        )
        rows = self._reader.execute(query, (last,)).fetchall()
        return max((row[4] for row in rows), default=last), [row[:4] for row in rows]

    def meta(self, key: str) -> str | None:
        """A value of the run's own table of facts."""
        row = self._reader.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    # -- writing ---------------------------------------------------------------------------

    async def intend(self, key: bytes) -> None:
        """Commit that this call is about to be sent; returns once it is on disk."""
        await self._put(_SEND, (key, self.session, time.time()))

    async def record(self, call: CallRow) -> None:
        """Commit an answered call; returns once it is on disk. The first answer stays."""
        await self._put(
            _CALL,
            (
                call.key,
                call.stage,
                call.agent,
                call.role,
                call.model,
                call.weights,
                call.request,
                call.reply,
                call.prompt_tokens,
                call.completion_tokens,
                call.seconds,
                time.time(),
            ),
        )

    async def fail(self, key: bytes, kind: str, detail: str, attempts: int, raw: str) -> None:
        """Commit that a call that was sent got no usable answer, all its retries included."""
        await self._put(
            "INSERT INTO failures(key, session, kind, detail, attempts, raw, at) VALUES(?,?,?,?,?,?,?)",
            (key, self.session, kind, detail, attempts, raw, time.time()),
        )

    def store_result(
        self, stage: str, seed: str, position: int, kept: int, rejected: int, payload: bytes
    ) -> None:
        """Queue one seed's result. A seed already stored is left as it is."""
        self._enqueue(
            "INSERT OR IGNORE INTO results VALUES(?,?,?,?,?,?)",
            (stage, seed, position, kept, rejected, payload),
        )

    def forget_result(self, stage: str, seed: str) -> None:
        """Queue the removal of one seed's result, so that the seed is run again."""
        self._enqueue("DELETE FROM results WHERE stage = ? AND seed = ?", (stage, seed))

    def set_stage(self, round_number: int, name: str, status: str, info: dict[str, Any]) -> None:
        """Note that a stage runs, is done, or failed, with its counts; it never ends before it began."""
        now = time.time()
        finished = None if status == "running" else now
        self._enqueue(
            "INSERT INTO stages VALUES(?,?,?,?,?,?) ON CONFLICT(round, name) DO UPDATE SET"
            " status=excluded.status, finished=MAX(excluded.finished, started), info=excluded.info",
            (round_number, name, status, now, finished, json.dumps(info)),
        )

    def set_meta(self, key: str, value: str) -> None:
        """Write one fact about the run."""
        self._enqueue(
            "INSERT INTO meta VALUES(?,?) ON CONFLICT(key) DO UPDATE SET value=excluded.value", (key, value)
        )

    async def flush(self) -> None:
        """Return once everything queued so far is on disk."""
        await self._put("SELECT 1", ())

    def close(self) -> None:
        """Write what is queued, stop the writer, close the file."""
        self._writer.close()
        self._reader.close()

    async def _put(self, statement: str, values: tuple[Any, ...]) -> None:
        future = asyncio.get_running_loop().create_future()
        self._enqueue(statement, values, future)
        await future

    def _enqueue(
        self, statement: str, values: tuple[Any, ...], future: asyncio.Future[None] | None = None
    ) -> None:
        self._writer.put(statement, values, future)

    def _commit(self, connection: sqlite3.Connection, rows: list[Row]) -> None:
        """One transaction, on the writer's connection."""
        replayed = self.replayed
        connection.execute("BEGIN IMMEDIATE")
        for many in (_SEND, _CALL):
            _insert(connection, many, [values for statement, values, _ in rows if statement is many])
        for statement, values, _ in rows:
            if statement is not _SEND and statement is not _CALL:
                connection.execute(statement, values)
        if replayed > self._noted and (rows or replayed):
            connection.execute(_NOTE_START, (self.session, replayed, time.time()))
            self._noted = replayed
        connection.commit()

    def _as_run_error(self, error: sqlite3.Error) -> RunError:
        return RunError(
            f"the journal {self.path} could not be written: {error}",
            "free some disk space or mend the permissions; the same command then goes on",
        )

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=30, check_same_thread=False, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        return connection

    def _check_version(self) -> None:
        found = self.meta("schema")
        if found is None:
            self._reader.execute("INSERT OR IGNORE INTO meta VALUES('schema', ?)", (SCHEMA_VERSION,))
        elif found != SCHEMA_VERSION:
            raise RunError(
                f"the journal {self.path} has format {found}; this version of synth reads {SCHEMA_VERSION}",
                "go on with the version that made it, or start anew with --fresh",
            )


def _insert(connection: sqlite3.Connection, statement: str, rows: list[tuple[Any, ...]]) -> None:
    """Execute a one-row INSERT for many rows, many at a time: after each statement SQLite has to
    get the interpreter back from a busy loop, which may take milliseconds."""
    head, marks = statement.rsplit("VALUES", 1)
    start = 0
    for size in _AT_ONCE:
        many = f"{head}VALUES{','.join([marks] * size)}"
        while len(rows) - start >= size:
            connection.execute(many, list(chain.from_iterable(rows[start : start + size])))
            start += size
