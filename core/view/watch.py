"""What a running run has changed since: the index is brought up to date, the summary made anew."""

from __future__ import annotations

import asyncio
import sqlite3
import time

from synth.errors import RunError
from synth.runs.overview import RunSummary
from synth.runs.summary import summarize
from synth.view.index import Index

__all__ = ["Watch"]

LOOK_SECONDS = 1.0
"""Between two looks at the run."""
WORK_SHARE = 10
"""A summary that takes long is made less often: this many times its own time passes between two."""


class Watch:
    """Follows one run. `records` and `overview` are numbers that rise whenever there is something new."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self.records = 0
        self.overview = 0
        self.indexing = True
        self.trouble = ""
        self.summary: RunSummary | None = None
        self.ready = asyncio.Event()
        self._seen: tuple[object, ...] = ()
        self._due = 0.0

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                await self._summarize()
                self.indexing = await asyncio.to_thread(self.index.refresh)
                self.records += self.indexing
                self.trouble = ""
            except (sqlite3.Error, RunError, OSError, ValueError, KeyError) as error:
                self.trouble, self.indexing = str(error), False
            self.ready.set()
            if not self.indexing:
                await asyncio.sleep(LOOK_SECONDS)

    async def _summarize(self) -> None:
        now = time.monotonic()
        running = self.summary is not None and self.summary.state == "running"
        if now < self._due:
            return
        seen = await asyncio.to_thread(self._stamp)
        # A run at work has been so for longer, and may have died without a word.
        if seen == self._seen and not running:
            return
        summary = await asyncio.to_thread(summarize, self.index.run)
        if self.summary is None or summary != self.summary:
            self.summary, self.overview = summary, self.overview + 1
        took = time.monotonic() - now
        self._seen, self._due = seen, time.monotonic() + max(2 * LOOK_SECONDS, WORK_SHARE * took)

    def _stamp(self) -> tuple[object, ...]:
        """Changes whenever a file does that the summary is made from."""
        run = self.index.run
        files = [run / "flow.yaml", run / "journal.db", run / "journal.db-wal", *(run / "rounds").glob("*/*")]
        files += (run / "rounds").glob("*/*/*.json*")
        found = []
        for file in files:
            try:
                stat = file.stat()
            except FileNotFoundError:
                continue
            found.append((str(file), stat.st_mtime_ns, stat.st_size))
        return tuple(found)
