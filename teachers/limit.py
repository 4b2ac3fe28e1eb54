"""How many calls are in flight: pinned, or found by additive increase, multiplicative decrease.

vLLM never answers 429, so its own queue is the signal where it is to be had (see
`teachers.pressure`); elsewhere 429, 503 and a throughput that stops rising are.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque

__all__ = ["Limit"]

_START = 16
_MOST = 4096
_GAIN = 1.05


class Limit:
    """An asynchronous counting gate whose width moves. `width` is calls allowed in flight.

    With `pinned` the width is that number for ever.
    """

    def __init__(self, pinned: int | None = None) -> None:
        self.pinned = pinned is not None
        self.steered = False
        """Whether something else moves the width; throughput is then no signal."""
        self.width = float(pinned or _START)
        self.in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._slow_start = True
        self._done = 0
        self._window_start = time.monotonic()
        self._best_rate = 0.0
        self._last_cut = 0.0

    @property
    def queued(self) -> int:
        """Calls waiting for their turn here."""
        return len(self._waiting)

    async def enter(self) -> None:
        """Wait for a place."""
        if self.in_flight < self.width and not self._waiting:
            self.in_flight += 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self._release()
            raise

    def leave(self) -> None:
        """Give the place back after an answer; may widen the gate."""
        self._done += 1
        if not self.pinned and not self.steered and self._done >= self.width:
            self._end_window()
        self._release()

    def leave_pressed(self) -> None:
        """Give the place back after the endpoint said it has too much to do."""
        self.cut()
        self._release()

    def cut(self, factor: float = 0.7) -> None:
        """Narrow the gate, at most once a second: one burst of refusals is one signal."""
        now = time.monotonic()
        if self.pinned or now - self._last_cut < 1.0:
            return
        self._last_cut = now
        self._slow_start = False
        self.width = max(1.0, self.width * factor)
        self._restart_window(now)

    def widen(self, step: float) -> None:
        """Widen the gate, if it is the gate that holds calls back."""
        if not self.pinned and self._waiting:
            self.width = min(_MOST, self.width + step)
            self._wake()

    def _end_window(self) -> None:
        """A gate's width of calls came back: widen if the last widening paid."""
        now = time.monotonic()
        rate = self._done / max(1e-6, now - self._window_start)
        paid = rate > self._best_rate * _GAIN
        self._best_rate = max(self._best_rate, rate)
        if self._slow_start and paid:
            self.widen(self.width)
        elif paid or not self._best_rate:
            self.widen(max(1.0, self.width * 0.1))
        else:
            self._slow_start = False
            self._best_rate *= 0.98  # forget slowly, so that a faster stage is noticed
        self._restart_window(now)

    def _restart_window(self, now: float) -> None:
        self._done = 0
        self._window_start = now

    def _release(self) -> None:
        self.in_flight -= 1
        self._wake()

    def _wake(self) -> None:
        while self._waiting and self.in_flight < self.width:
            place = self._waiting.popleft()
            if not place.done():
                self.in_flight += 1
                place.set_result(None)
