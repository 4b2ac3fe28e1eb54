"""How many calls are in flight: pinned, or found by climbing towards the most answers a second.

vLLM never answers 429: its own queue is the signal where it is to be had (`teachers.pressure`).
Elsewhere the gate tries a wider and a narrower width in turn and keeps what pays, and gives
way at once when the endpoint refuses calls (429, 503) or lets them time out.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from math import ceil, floor
from typing import Literal

__all__ = ["Limit", "Outcome"]

Outcome = Literal["answered", "refused", "failed"]
"""`refused` also stands for a time-out: both say that there is too much to do."""

_START = 16
_MOST = 4096
_STEP = 1.2
_PAYS = 0.25
_TOLERATED = 0.25
_NARROW = 0.8
_REST_MOST = 8
_SAMPLE = 64


class Limit:
    """An asynchronous counting gate whose width moves. `width` is calls allowed in flight.

    With `pinned` the width is that number for ever. Else it doubles while that pays, then
    tries steps of a fifth up and down in turn. What pays is told by answers a second, which
    is the width divided by the mean seconds of the calls sent since the width changed: a
    wider gate must bring a quarter of what it could, a narrower one lose no more than a
    quarter. Trials that fail make the next one rarer.
    """

    def __init__(self, pinned: int | None = None) -> None:
        self.pinned = pinned is not None
        self.steered = False
        """Whether something else moves the width; answers a second are then no signal."""
        self.width = pinned or _START
        self.seconds = 0.0
        """Mean seconds of a call at this width, 0 until enough of them came back."""
        self.in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._factor = 2.0
        self._settled: tuple[int, float] | None = None
        """Width and answers a second before the trial under way, None between trials."""
        self._rest = self._patience = 1
        self._began = time.monotonic()
        """When the width last changed: calls sent earlier tell nothing of it."""
        self._recount()

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
        self._held = True
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self._release()
            raise

    def leave(self, sent: float, outcome: Outcome) -> None:
        """Give the place back and learn from how the call went; may move the width.

        `sent` is when the call went out, on the monotonic clock.
        """
        if not self.pinned and sent >= self._began and outcome != "failed":
            self._learn(time.monotonic() - sent, outcome)
        self._release()

    def scale(self, factor: float) -> None:
        """Change the width, by one call at least and within its bounds; a pinned one stays."""
        self._resize(ceil(self.width * factor) if factor > 1 else floor(self.width * factor))

    def _resize(self, width: int) -> None:
        if not self.pinned:
            self.width = min(_MOST, max(1, width))
            self.seconds = 0.0
            self._began = time.monotonic()
            self._recount()
            self._wake()

    def _learn(self, seconds: float, outcome: Outcome) -> None:
        if outcome == "refused":
            self._refused += 1
            if self._refused > _TOLERATED * max(_SAMPLE, self.width):
                self._give_way()
            return
        self._answered += 1
        self._seconds += seconds
        # What steers the gate from outside only wants to know how long calls take.
        enough = _START // 4 if self.steered else _START
        if self._answered + self._refused >= max(enough, self.width):
            self._judge()

    def _give_way(self) -> None:
        """Too many were refused: narrow at once. If that came of a trial, be slow to try again."""
        if self._settled is not None:
            self._end_trial()
        self._factor = _STEP
        self.scale(_NARROW)

    def _judge(self) -> None:
        """Enough calls came back: end the trial under way, or begin one."""
        self.seconds = max(1e-6, self._seconds / self._answered)
        rate = self.width / self.seconds * self._answered / (self._answered + self._refused)
        if self.steered or not self._held:  # what the gate did not hold back, its width does not explain
            self._recount()
        elif self._settled is None:
            self._rest -= 1
            self._try(rate) if self._rest <= 0 else self._recount()
        else:
            width, before = self._settled
            wanted = 1 + _PAYS * (self.width / width - 1)
            if rate >= wanted * before:
                self._patience = max(1, self._patience // 2)
                self._try(rate)
            else:
                self._end_trial()
                self._factor = _STEP if self._factor < 1 else 1 / _STEP
                self._resize(width)

    def _try(self, rate: float) -> None:
        self._settled = (self.width, rate)
        self.scale(self._factor)

    def _end_trial(self) -> None:
        self._settled = None
        self._rest = self._patience = min(_REST_MOST, 2 * self._patience)

    def _recount(self) -> None:
        self._held = bool(self._waiting)
        self._answered = self._refused = 0
        self._seconds = 0.0

    def _release(self) -> None:
        self.in_flight -= 1
        self._wake()

    def _wake(self) -> None:
        while self._waiting and self.in_flight < self.width:
            place = self._waiting.popleft()
            if not place.done():
                self.in_flight += 1
                place.set_result(None)
