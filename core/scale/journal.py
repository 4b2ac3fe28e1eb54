"""A shard's journal: the same promises as a run's, and nothing is sent once the lease has run out."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from synth.errors import RunError
from synth.journal import CallRow, Journal
from synth.scale.lease import Lease, LeaseLost
from synth.scale.merge import pour
from synth.scale.rows import Marks, added_since, pack, unpack
from synth.scale.shards import Shard, StagePlace

__all__ = ["Routed", "ShardJournal", "ShippedJournal", "open_journal"]

SHIP_EVERY = 0.2
"""Seconds between two segments: what arrives meanwhile is committed together."""
TRIES = 4
_CURRENT: ContextVar[Journal] = ContextVar("journal of the shard under way")


class ShardJournal(Journal):
    """The journal of one shard under one lease; its results have the positions of the whole stage."""

    def __init__(self, path: Path, shard: Shard, lease: Lease, worker: str) -> None:
        super().__init__(path)
        self.session = f"{worker}.{shard.name}.{lease.generation}"
        self.shard, self.lease = shard, lease

    async def intend(self, key: bytes) -> None:
        """Raises `LeaseLost` instead of letting a call leave that another worker may make, too."""
        if not self.lease.held:
            raise LeaseLost(f"the lease on shard {self.shard.title} has run out")
        await super().intend(key)

    def store_result(
        self, stage: str, seed: str, position: int, kept: int, rejected: int, payload: bytes
    ) -> None:
        """Queue one seed's result, under its position in the whole stage."""
        super().store_result(stage, seed, self.shard.positions[position], kept, rejected, payload)


class ShippedJournal(ShardJournal):
    """A shard's journal of which the store has every committed row: whoever waits is told after that.

    The file itself is this worker's own; what another worker needs are the segments.
    """

    def __init__(self, path: Path, shard: Shard, lease: Lease, worker: str, place: StagePlace) -> None:
        self._place, self._number, self._shipped = place, 0, 0.0
        self._marks: Marks = {}
        super().__init__(path, shard, lease, worker)

    def restored(self) -> None:
        """What is in the file now is in the store already."""
        _, self._marks = added_since(self._reader, {})

    def _commit(self, connection: sqlite3.Connection, rows: Any) -> None:
        super()._commit(connection, rows)
        time.sleep(max(0.0, SHIP_EVERY - (time.monotonic() - self._shipped)))
        fresh, marks = added_since(connection, self._marks)
        if any(fresh.values()):
            self._ship(pack(fresh))
        self._marks, self._shipped = marks, time.monotonic()

    def _ship(self, segment: bytes) -> None:
        """Raises `sqlite3.Error`, which is what the writer knows how to tell its waiters."""
        name = f"{self._place.journal(self.shard.name)}/{_stamp(self.shard, self.lease)}.{self._number:06d}"
        self._number += 1
        for tries_left in reversed(range(TRIES)):
            try:
                self._place.store.write(name, segment)
                return
            except RunError as error:
                if not tries_left or not self.lease.held:
                    raise sqlite3.OperationalError(error.what) from error
                time.sleep(1.0)


class Routed:
    """In a journal's place at the models of a worker: calls go to the journal of the shard they are for."""

    @staticmethod
    @contextmanager
    def to(journal: Journal) -> Iterator[None]:
        """Calls of this task, and of the tasks it starts, go to `journal`."""
        token = _CURRENT.set(journal)
        try:
            yield
        finally:
            _CURRENT.reset(token)

    @property
    def replayed(self) -> int:
        return _CURRENT.get().replayed

    @replayed.setter
    def replayed(self, count: int) -> None:
        _CURRENT.get().replayed = count

    def find(self, key: bytes) -> bytes | None:
        return _CURRENT.get().find(key)

    async def intend(self, key: bytes) -> None:
        await _CURRENT.get().intend(key)

    async def record(self, call: CallRow) -> None:
        await _CURRENT.get().record(call)

    async def fail(self, key: bytes, kind: str, detail: str, attempts: int, raw: str) -> None:
        await _CURRENT.get().fail(key, kind, detail, attempts, raw)


def open_journal(
    place: StagePlace, shard: Shard, lease: Lease, worker: str, stage: str, scratch: Path
) -> ShardJournal:
    """The shard's journal with all that earlier owners left, so that what they paid for is replayed."""
    if place.store.in_place:
        assert place.store.local is not None
        folder = place.store.local / place.folder / "journals"
        folder.mkdir(parents=True, exist_ok=True)
        journal = ShardJournal(folder / f"{shard.name}.db", shard, lease, worker)
        before = journal.meta("attempt")
        if before is not None and int(before) < shard.attempt:
            for seed in shard.seeds:
                journal.forget_result(stage, seed.id)
        journal.set_meta("attempt", str(shard.attempt))
        return journal
    path = scratch / f"{shard.title}.{lease.generation}.db"
    shipped = ShippedJournal(path, shard, lease, worker, place)
    shipped._reader.execute("BEGIN")
    for name, segment in place.segments(shard.name):
        rows = unpack(segment)
        if int(name.partition(".")[0]) != shard.attempt:
            rows.pop("results", None)
        pour(shipped._reader, rows)
    shipped._reader.execute("COMMIT")
    shipped.restored()
    return shipped


def _stamp(shard: Shard, lease: Lease) -> str:
    return f"{shard.attempt:03d}.{lease.generation:04d}"
