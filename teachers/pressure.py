"""Steering by a vLLM server's own queue: it never answers 429, so its metrics are the signal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from synth.teachers.limit import Limit

__all__ = ["Pressure"]

_FULL = 0.9
_QUEUE = 0.25
_KEPT = 1.125
_STEP = 1.25
_FEWEST = 4


class Pressure:
    """Reads a server's metrics every `every` seconds and moves the gate's width.

    While nothing waits there and its KV cache has room, the gate doubles each time its calls
    came back, and after the first queue grows by a quarter. When more than a quarter of what
    runs is waiting, the gate goes to what runs and an eighth more: with no queue at all the
    scheduler would starve between two looks. Requests pushed out of the cache narrow it by a
    fifth. Calls of more than `longest` seconds are no reason to send more of them, and twice
    as long ones narrow the gate too, a batch that is too large ends in time-outs; but never
    to fewer than four calls, which a slow server answers hardly later than one.
    `metrics` gives the figures of `vllm_control.metrics`; several gates may share a server.
    """

    def __init__(
        self,
        limit: Limit,
        metrics: Callable[[], Awaitable[Mapping[str, float]]],
        longest: float = 30.0,
        every: float = 1.0,
    ) -> None:
        self._limit = limit
        self._metrics = metrics
        self._longest = longest
        self._every = every
        self._step = 2.0
        self._pushed_out: float | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Watch from now on."""
        self._limit.steered = True
        self._task = asyncio.create_task(self._watch())

    async def aclose(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            try:
                self.look(await self._metrics())
            except Exception:  # a look that fails is a look missed; calls have errors of their own
                continue

    def look(self, seen: Mapping[str, float]) -> None:
        """Act on one reading."""
        running, waiting = seen["num_requests_running"], seen["num_requests_waiting"]
        pushed_out = seen["num_preemptions"]
        preempted = self._pushed_out is not None and pushed_out > self._pushed_out
        self._pushed_out = pushed_out
        if preempted or (self._limit.seconds > 2 * self._longest and self._limit.width > _FEWEST):
            self._narrow(0.8)
        elif running and waiting > max(4.0, _QUEUE * running):
            self._narrow(_KEPT * running / (running + waiting))
        elif not waiting and seen["kv_cache_usage_perc"] < _FULL and self._room():
            self._limit.scale(self._step)

    def _room(self) -> bool:
        """Whether the gate holds calls back, and those it let through come back soon enough."""
        return bool(self._limit.queued) and 0 < self._limit.seconds <= self._longest

    def _narrow(self, factor: float) -> None:
        self._step = _STEP
        self._limit.scale(factor)
