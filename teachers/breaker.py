"""The breaker: when an endpoint stops answering, calls wait instead of failing one by one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from synth.errors import EndpointError, SynthError

__all__ = ["Breaker"]


class Breaker:
    """Opens after `after` unanswered calls in a row; a probe closes it when the endpoint is back.

    `probe` returns whether the endpoint answers; `say` is told, in a sentence, what happens.
    After `patience` seconds without an answer, waiting calls raise `EndpointError`; at once
    if `check` raises, because the server's process has died.
    """

    def __init__(
        self,
        name: str,
        probe: Callable[[], Awaitable[bool]],
        say: Callable[[str], None] = lambda text: None,
        after: int = 8,
        patience: float = 600.0,
        every: float = 2.0,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self._probe = probe
        self._say = say
        self._after = after
        self._patience = patience
        self._every = every
        self._check = check
        self._failures = 0
        self._closed = asyncio.Event()
        self._closed.set()
        self._watch: asyncio.Task[None] | None = None
        self._lost: SynthError | None = None

    async def ready(self) -> None:
        """Return when calls may be sent. Raises `EndpointError` once patience has run out."""
        if not self._closed.is_set():
            await self._closed.wait()
        if self._lost is not None:
            raise self._lost

    def answered(self) -> None:
        """An answer came, good or bad: the endpoint is there."""
        self._failures = 0

    def unanswered(self, why: str) -> None:
        """A call found nobody. Enough of these in a row open the breaker."""
        self._failures += 1
        if self._failures >= self._after and self._closed.is_set() and self._lost is None:
            self._closed.clear()
            self._say(f"{self.name} does not answer ({why}); waiting for it to come back")
            self._watch = asyncio.create_task(self._wait_for_return())

    async def aclose(self) -> None:
        """Stop probing."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)

    async def _wait_for_return(self) -> None:
        opened = time.monotonic()
        while time.monotonic() - opened < self._patience:
            try:
                self._check()
            except SynthError as error:  # its process is dead: there is nothing to wait for
                self._lost = error
                self._closed.set()
                return
            await asyncio.sleep(self._every)
            if await self._probe():
                self._say(f"{self.name} answers again after {time.monotonic() - opened:.0f} s")
                self._failures = 0
                self._closed.set()
                return
        self._lost = EndpointError(
            f"{self.name} did not answer for {self._patience:.0f} s",
            "start it again, then run the same command: finished calls are kept",
        )
        self._closed.set()
