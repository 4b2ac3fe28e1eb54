"""The journal's writer: one thread that takes rows from a queue and has them committed in batches."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

__all__ = ["Row", "Writer"]

BATCH_SECONDS = 0.005

Row = tuple[str, tuple[Any, ...], "asyncio.Future[None] | None"]
"""A statement, its values, and who waits for it; an empty statement ends the writer."""


class Writer:
    """Commits rows with `commit`, on a connection of its own; once that fails nothing more is written.

    `told` makes of a failure the error that waiters, and whoever writes later, are given.
    """

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        commit: Callable[[sqlite3.Connection, list[Row]], None],
        told: Callable[[sqlite3.Error], Exception],
    ) -> None:
        self._connect, self._commit, self._told = connect, commit, told
        self._queue: SimpleQueue[Row] = SimpleQueue()
        self._failure: sqlite3.Error | None = None
        self._thread = threading.Thread(target=self._work, name="journal", daemon=True)
        self._thread.start()

    def put(
        self, statement: str, values: tuple[Any, ...], future: asyncio.Future[None] | None = None
    ) -> None:
        """Queue a row; `future` is done once it is on disk. Raises an earlier failure, as `told`."""
        if self._failure is not None:
            raise self._told(self._failure)
        self._queue.put((statement, values, future))

    def close(self) -> None:
        """Write what is queued, and end."""
        self._queue.put(("", (), None))
        self._thread.join(timeout=30)

    def _work(self) -> None:
        connection = self._connect()
        open_ = True
        while open_:
            batch = self._next_batch()
            open_ = bool(batch[-1][0])
            rows = batch if open_ else batch[:-1]
            # After a failure nothing more is written, and whoever still asks is told so.
            if self._failure is None:
                try:
                    self._commit(connection, rows)
                except sqlite3.Error as error:
                    self._failure = error
            _settle(rows, self._told(self._failure) if self._failure else None)
        connection.close()

    def _next_batch(self) -> list[Row]:
        """Wait for a first row, then take what has arrived a few milliseconds later."""
        batch = [self._queue.get()]
        if batch[0][0]:
            # One sleep, not a wait for each row: every wake-up takes the interpreter from the loop.
            time.sleep(BATCH_SECONDS)
        while batch[-1][0]:
            try:
                batch.append(self._queue.get_nowait())
            except Empty:
                break
        return batch


def _settle(rows: list[Row], error: Exception | None) -> None:
    """Wake the waiters, by one call into their event loop: a journal serves one."""
    waiting = [future for _, _, future in rows if future is not None]
    if not waiting:
        return

    def wake() -> None:
        for future in waiting:
            if not future.done():
                future.set_exception(error) if error else future.set_result(None)

    waiting[0].get_loop().call_soon_threadsafe(wake)
