"""How busy the scripted server is: slots, a queue, token counts, and the /metrics page."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

__all__ = ["Load", "tokens"]


def tokens(text: str) -> int:
    """Tokens of a text, taken as four characters each."""
    return (len(text) + 3) // 4


class Load:
    """Requests served at a time, requests that wait, and token counts; peaks are kept for tests."""

    def __init__(self, capacity: int | None) -> None:
        self.capacity = capacity
        self.running = self.waiting = self.peak_running = self.peak_waiting = 0
        self.prompt_tokens = self.generated_tokens = self.hit_tokens = 0
        self._slots = None if capacity is None else asyncio.Semaphore(capacity)
        self._grown = asyncio.Event()
        self._prefixes: set[str] = set()

    @property
    def full(self) -> bool:
        """Whether one more request would have to wait."""
        return self._slots is not None and self._slots.locked()

    async def reached(self, *, running: int = 0, waiting: int = 0) -> None:
        """Wait until so many requests are served and so many wait."""
        while self.running < running or self.waiting < waiting:
            self._grown.clear()
            await self._grown.wait()

    async def __aenter__(self) -> None:
        if self._slots is not None:
            if self._slots.locked():
                await self._wait(self._slots)
            else:
                await self._slots.acquire()
        self.running += 1
        self.peak_running = max(self.peak_running, self.running)
        self._grown.set()

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.running -= 1
        if self._slots is not None:
            self._slots.release()

    async def _wait(self, slots: asyncio.Semaphore) -> None:
        self.waiting += 1
        self.peak_waiting = max(self.peak_waiting, self.waiting)
        self._grown.set()
        try:
            await slots.acquire()
        finally:
            self.waiting -= 1

    def count(self, messages: Sequence[Mapping[str, Any]], prompt: int, made: int) -> int:
        """Add one reply's tokens; a first message seen before is a hit of the prefix cache."""
        self.prompt_tokens += prompt
        self.generated_tokens += made
        first = str(messages[0].get("content")) if len(messages) > 1 else ""
        if not first or first not in self._prefixes:
            self._prefixes.add(first)
            return 0
        hit = tokens(first)
        self.hit_tokens += hit
        return hit

    def forget_prefixes(self) -> None:
        """Empty the prefix cache."""
        self._prefixes.clear()

    def metrics(self, model: str) -> str:
        """The Prometheus page, under vLLM's names."""
        share = self.running / self.capacity if self.capacity else 0.0
        values = {
            "num_requests_running": self.running,
            "num_requests_waiting": self.waiting,
            "kv_cache_usage_perc": share,
            "prefix_cache_queries_total": self.prompt_tokens,
            "prefix_cache_hits_total": self.hit_tokens,
            "prompt_tokens_total": self.prompt_tokens,
            "generation_tokens_total": self.generated_tokens,
        }
        label = f'{{engine="0",model_name="{model}"}}'
        return "".join(f"vllm:{name}{label} {float(value)}\n" for name, value in values.items())
