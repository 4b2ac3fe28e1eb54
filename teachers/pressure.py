"""Steering by a vLLM server's own queue: it never answers 429, so its metrics are the signal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from synth.teachers.limit import Limit

__all__ = ["Pressure"]

_EVERY = 1.0
_FULL = 0.9
_QUEUE = 0.25


class Pressure:
    """Reads a server's metrics once a second and moves the gate's width.

    While nothing waits there and its KV cache has room, the gate widens by a quarter; when
    more than a quarter of what runs is waiting, or the cache is nearly full, or requests
    were pushed out of it, the gate narrows. A short queue is left alone: with none the
    scheduler would starve between two looks.
    """

    def __init__(self, limit: Limit, metrics: Callable[[], Awaitable[Mapping[str, float]]]) -> None:
        self._limit = limit
        self._metrics = metrics
        self._pushed_out = 0.0
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
            await asyncio.sleep(_EVERY)
            try:
                self.look(await self._metrics())
            except Exception:  # noqa: BLE001, S112 (a look that fails is a look missed; calls have their own errors)
                continue

    def look(self, seen: Mapping[str, float]) -> None:
        """Act on one reading."""
        running, waiting = seen.get("num_requests_running", 0.0), seen.get("num_requests_waiting", 0.0)
        cache, pushed_out = seen.get("kv_cache_usage_perc", 0.0), seen.get("num_preemptions_total", 0.0)
        preempted = pushed_out > self._pushed_out
        self._pushed_out = pushed_out
        if preempted or cache > _FULL or waiting > max(4.0, _QUEUE * running):
            self._limit.cut(0.8)
        elif waiting == 0:
            self._limit.widen(max(4.0, 0.25 * self._limit.width))
