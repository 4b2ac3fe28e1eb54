"""One stage at work: counters that cost next to nothing, and what can be said of them."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Literal, Self

from synth.errors import BudgetExceeded
from synth.figures import compact, count, duration

__all__ = ["Stage"]

WINDOW = 20.0
"""Seconds the shown speed looks back."""
FORESEEN = 3
"""Items that have to be finished before the time left is told."""


class Stage:
    """Counters of one stage; leaving its context notes how it ended.

    `advance` is called from one thread, once an item; displays read from another.
    `done` starts with what an earlier process finished, which no speed counts. `total` and
    `in_flight` and `cost` may be set at any time.
    """

    def __init__(
        self,
        round: int,
        name: str,
        total: int | None,
        done: int = 0,
        *,
        log: Callable[[str], None],
        tick: Callable[[Stage], None] | None = None,
        ended: Callable[[Stage], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.round = round
        self.name = name
        self.total = total
        self.done = done
        self.tokens = 0
        self.in_flight = 0
        self.text = ""
        self.cost = ""
        """What the whole run has cost so far, in words."""
        self.dropped: dict[str, int] = {}
        self.status: Literal["running", "done", "failed", "stopped"] = "running"
        self.log = log
        self._tick, self._ended, self._clock = tick, ended, clock
        self._started = clock()
        self._before = done
        self._finished: float | None = None
        self._past: deque[tuple[float, int, int]] = deque([(self._started, done, 0)])

    def advance(self, items: int = 1, tokens: int = 0, dropped_reason: str | None = None) -> None:
        """Count finished items and their tokens; a reason counts one record dropped for it."""
        self.done += items
        self.tokens += tokens
        if dropped_reason is not None:
            self.dropped[dropped_reason] = self.dropped.get(dropped_reason, 0) + 1
        if self._tick is not None:
            self._tick(self)

    def note(self, text: str) -> None:
        """Say what is going on right now; replaces the note before."""
        self.text = text
        if self._tick is not None:
            self._tick(self)

    def loss(self, line: Mapping[str, Any]) -> None:
        """Follow a line of a training log: its `step` of `steps`, `tokens` so far, and `loss`."""
        self.total = line.get("steps", self.total)
        self.text = f"loss {line['loss']:.3f}"
        self.advance(line["step"] - self.done, line.get("tokens", self.tokens) - self.tokens)

    @property
    def seconds(self) -> float:
        """How long it has been at work, or took."""
        return (self._clock() if self._finished is None else self._finished) - self._started

    def speed(self) -> tuple[float, float]:
        """Items and tokens a second over the last while. Only a display calls this."""
        now = self._clock()
        self._past.append((now, self.done, self.tokens))
        while len(self._past) > 2 and now - self._past[1][0] > WINDOW:
            self._past.popleft()
        then, done, tokens = self._past[0]
        span = now - then
        return ((self.done - done) / span, (self.tokens - tokens) / span) if span > 0 else (0.0, 0.0)

    def facts(self) -> list[str]:
        """Speed, time left, calls in flight and cost, as far as there is something to say."""
        items, tokens = self.speed()
        said = [f"{compact(items)}/s"] if items else []
        said += [f"{compact(tokens)} tokens/s"] if tokens else []
        if items and self.total and self.done - self._before >= FORESEEN:
            said.append(f"{duration((self.total - self.done) / items)} left")
        said += [f"{count(self.in_flight)} in flight"] if self.in_flight else []
        said += [f"the run {self.cost}"] if self.cost else []
        return said

    def counted(self) -> str:
        """How far it is: `640 of 1,280`; without a total `640 items`, nothing for none."""
        if self.total is not None:
            return f"{count(self.done)} of {count(self.total)}"
        return f"{count(self.done)} items" if self.done else ""

    def drops(self) -> str:
        """What was dropped, most frequent reason first: `20 dropped (wrong 12, unparsed 8)`."""
        counted = sorted(self.dropped.copy().items(), key=lambda item: -item[1])
        if not counted:
            return ""
        reasons = ", ".join(f"{reason} {count(n)}" for reason, n in counted)
        return f"{count(sum(n for _, n in counted))} dropped ({reasons})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.status = "done"
        else:
            asked = issubclass(kind, (KeyboardInterrupt, asyncio.CancelledError, BudgetExceeded))
            self.status = "stopped" if asked else "failed"
        self._finished = self._clock()
        if self._ended is not None:
            self._ended(self)
