"""Whether one server of many is there: calls do not wait for it, they go to another."""

from __future__ import annotations

import time
from collections.abc import Callable

from synth.teachers.breaker import Breaker
from synth.teachers.wire import Transient

__all__ = ["Health"]


class Health(Breaker):
    """In the breaker's place at a server of a pool; the pool looks after it and says when it is up.

    `silent` is called when a call found nobody there. `missed` counts looks left unanswered,
    `lost` is when it went, on the monotonic clock (0: never), and `why` says how.
    """

    def __init__(self, name: str, silent: Callable[[], None]) -> None:
        async def nobody() -> bool:
            return False

        super().__init__(name, nobody)
        self._silent = silent
        self.up = False
        self.missed = 0
        self.lost = 0.0
        self.why = ""

    async def ready(self) -> None:
        """Raises `Transient` at once where the server is not there."""
        if not self.up:
            raise Transient("connection", f"{self.name} {self.why or 'does not answer'}", down=True)

    def answered(self) -> None:
        """An answer came, good or bad."""
        self.missed = 0

    def unanswered(self, why: str) -> None:
        """A call found nobody."""
        if self.up:
            self._silent()

    def lose(self, why: str) -> None:
        """From now on it is away."""
        if self.up or not self.lost:
            self.lost = time.monotonic()
        self.up, self.why = False, why

    def found(self) -> None:
        """From now on it is there."""
        self.up, self.why, self.missed, self.lost = True, "", 0, 0.0
