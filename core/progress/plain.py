"""Progress as plain lines, for logs and pipes: starts, ends, and one line every few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

from synth.figures import compact, count, duration
from synth.progress.stage import Stage
from synth.terminal import harmless

__all__ = ["PlainProgress"]


class PlainProgress:
    """Writes lines to `stream`; with None it writes nothing. At most one a stage every `every` seconds."""

    def __init__(
        self, stream: TextIO | None, every: float = 5.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream
        self._every = every
        self._clock = clock
        self._next = 0.0

    def stage(self, round: int, name: str, total: int | None = None, done: int = 0) -> Stage:
        """Begin a stage; says so."""
        items = f", {count(total)} items" if total is not None else ""
        already = f", {count(done)} already done" if done else ""
        self.log(f"round {round} {name}: started{items}{already}")
        self._next = self._clock() + self._every
        tick = self._tick if self._stream is not None else None
        return Stage(round, name, total, done, log=self.log, tick=tick, ended=self._ended, clock=self._clock)

    def log(self, text: str) -> None:
        """Write one line. A stream that is gone is not written to again; the run goes on."""
        if self._stream is None:
            return
        try:
            print(harmless(text), file=self._stream, flush=True)
        except (OSError, ValueError):
            self._stream = None

    def _tick(self, stage: Stage) -> None:
        now = self._clock()
        if now < self._next:
            return
        self._next = now + self._every
        said = [stage.counted(), *stage.facts(), stage.drops(), stage.text]
        self.log(f"round {stage.round} {stage.name}: " + ", ".join(part for part in said if part))

    def _ended(self, stage: Stage) -> None:
        tokens = f"{compact(stage.tokens)} tokens" if stage.tokens else ""
        said = [f"{stage.status} in {duration(stage.seconds)}", stage.counted(), tokens, stage.drops()]
        if stage.status != "done":
            said.append(stage.text)
        self.log(f"round {stage.round} {stage.name}: " + ", ".join(part for part in said if part))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None
