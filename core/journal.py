"""The journal: one SQLite file that makes a run a pure function of its seeds.

Every model call is stored under the hash of what was asked and of whom (model, weights
version, messages, sampling, schema, sample index), never of source code. After a crash the
same command finds finished calls here and sends only what was never answered.

One writer thread commits in batches (WAL). Two promises carry the audit:

* a call's *send* is committed before the request leaves (`intend`), and
* a reply counts as received only once it is committed (`record`),

so a process killed at any moment repeats at most the calls that were in flight.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from synth.errors import RunError

__all__ = ["CallRow", "Journal", "StageRow"]

SCHEMA_VERSION = "1"
_BATCH_SECONDS = 0.005

_TABLES = """
CREATE TABLE IF NOT EXISTS calls(
  id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, stage TEXT NOT NULL, agent TEXT NOT NULL,
  role TEXT NOT NULL, model TEXT NOT NULL, weights TEXT NOT NULL,
  prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL,
  seconds REAL NOT NULL, at REAL NOT NULL, request BLOB NOT NULL, reply BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS sends(
  id INTEGER PRIMARY KEY, key BLOB NOT NULL, session TEXT NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS results(
  stage TEXT NOT NULL, seed TEXT NOT NULL, position INTEGER NOT NULL, kept INTEGER NOT NULL,
  rejected INTEGER NOT NULL, payload BLOB NOT NULL, PRIMARY KEY(stage, seed));
CREATE TABLE IF NOT EXISTS stages(
  round INTEGER NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL, started REAL NOT NULL,
  finished REAL, info TEXT NOT NULL DEFAULT '{}', PRIMARY KEY(round, name));
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


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

    Raises `RunError` if the file cannot be opened or written, or belongs to a newer version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.session = uuid.uuid4().hex[:12]
        self._queue: SimpleQueue[tuple[str, tuple[Any, ...], asyncio.Future[None] | None]] = SimpleQueue()
        self._failure: BaseException | None = None
        try:
            self._reader = self._connect()
            self._reader.executescript(_TABLES)
            self._check_version()
        except sqlite3.Error as error:
            raise RunError(
                f"the journal {path} cannot be opened: {error}",
                "check the folder's permissions and free space, or start anew with --fresh",
            ) from error
        self._thread = threading.Thread(target=self._write_loop, name="journal", daemon=True)
        self._thread.start()

    # -- reading ---------------------------------------------------------------------------

    def find(self, key: bytes) -> bytes | None:
        """The stored reply for a call key, or None if it was never answered."""
        row = self._reader.execute("SELECT reply FROM calls WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

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
        """All stages begun so far, oldest first."""
        query = "SELECT round, name, status, started, finished, info FROM stages ORDER BY started"
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

    def meta(self, key: str) -> str | None:
        """A value of the run's own table of facts."""
        row = self._reader.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    # -- writing ---------------------------------------------------------------------------

    async def intend(self, key: bytes) -> None:
        """Commit that this call is about to be sent; returns once it is on disk."""
        await self._put(
            "INSERT INTO sends(key, session, at) VALUES(?, ?, ?)", (key, self.session, time.time())
        )

    async def record(self, call: CallRow) -> None:
        """Commit an answered call; returns once it is on disk. The first answer stays."""
        await self._put(
            "INSERT OR IGNORE INTO calls(key, stage, agent, role, model, weights, request, reply,"
            " prompt_tokens, completion_tokens, seconds, at) VALUES(?,?,?,?,?,?,?,?,?,?,?,?)",
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
        """Note that a stage runs, is done, or failed, with its counts."""
        now = time.time()
        finished = None if status == "running" else now
        self._enqueue(
            "INSERT INTO stages VALUES(?,?,?,?,?,?) ON CONFLICT(round, name) DO UPDATE SET"
            " status=excluded.status, finished=excluded.finished, info=excluded.info",
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
        self._queue.put(("", (), None))
        self._thread.join(timeout=30)
        self._reader.close()

    # -- the writer thread -----------------------------------------------------------------

    async def _put(self, statement: str, values: tuple[Any, ...]) -> None:
        future = asyncio.get_running_loop().create_future()
        self._enqueue(statement, values, future)
        await future

    def _enqueue(
        self, statement: str, values: tuple[Any, ...], future: asyncio.Future[None] | None = None
    ) -> None:
        if self._failure is not None:
            raise self._as_run_error(self._failure)
        self._queue.put((statement, values, future))

    def _write_loop(self) -> None:
        connection = self._connect()
        open_ = True
        while open_:
            batch = self._next_batch()
            open_ = bool(batch[-1][0])
            rows = batch if open_ else batch[:-1]
            try:
                connection.execute("BEGIN IMMEDIATE")
                for statement, values, _ in rows:
                    connection.execute(statement, values)
                connection.commit()
            except sqlite3.Error as error:
                self._failure = error
                self._settle(rows, self._as_run_error(error))
                break
            self._settle(rows, None)
        connection.close()

    def _next_batch(self) -> list[tuple[str, tuple[Any, ...], asyncio.Future[None] | None]]:
        """Wait for a first row, then take what arrives within a few milliseconds."""
        batch = [self._queue.get()]
        deadline = time.monotonic() + _BATCH_SECONDS
        while batch[-1][0]:
            try:
                batch.append(self._queue.get(timeout=max(0.0, deadline - time.monotonic())))
            except Empty:
                break
        return batch

    @staticmethod
    def _settle(
        rows: list[tuple[str, tuple[Any, ...], asyncio.Future[None] | None]], error: Exception | None
    ) -> None:
        """Wake the waiters, one call into each event loop a batch."""
        waiting = [future for _, _, future in rows if future is not None]
        if not waiting:
            return

        def wake() -> None:
            for future in waiting:
                if not future.done():
                    future.set_exception(error) if error else future.set_result(None)

        waiting[0].get_loop().call_soon_threadsafe(wake)

    def _as_run_error(self, error: BaseException) -> RunError:
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
