"""One of several servers of a role, and the calls under way there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from typing import Any

from synth.chat import Leaving, Reply
from synth.teachers.health import Health
from synth.teachers.http import HttpEndpoint
from synth.teachers.wire import Transient

__all__ = ["Departure", "Server"]


class Server:
    """One server of a pool, with the calls that are under way there or wait for a place."""

    def __init__(self, endpoint: HttpEndpoint, health: Health) -> None:
        self.endpoint = endpoint
        self.health = health
        self.address = endpoint.base_url
        self.calls = 0
        self.served = 0
        self.draining = False
        self._flying: set[asyncio.Task[Any]] = set()
        self._given_up: set[asyncio.Task[Any]] = set()
        self._mark = self.address.encode()

    @property
    def usable(self) -> bool:
        return self.health.up and not self.draining

    async def ask(self, call: Callable[[], Awaitable[list[Reply]]]) -> list[Reply]:
        """Make a call here. Raises `Transient` where it is given up with the server."""
        task = asyncio.current_task()
        assert task is not None
        self.calls += 1
        self._flying.add(task)
        try:
            return await call()
        except asyncio.CancelledError:
            if task not in self._given_up:
                raise
            task.uncancel()
            raise Transient("connection", f"{self.address} {self.health.why}") from None
        finally:
            self.calls -= 1
            self.served += 1
            self._flying.discard(task)
            self._given_up.discard(task)

    def give_up(self) -> None:
        """End the calls that are under way here."""
        self._given_up |= self._flying
        for task in self._flying:
            task.cancel()

    def rank(self, record: bytes) -> bytes:
        """The higher, the earlier a record goes here (rendezvous hashing)."""
        return blake2b(record, key=self._mark[:64], digest_size=8).digest()


class Departure:
    """Passes on that a call leaves, and once that it was cut off elsewhere before."""

    def __init__(self, leaving: Leaving | None, address: str, cut: str) -> None:
        self._leaving = leaving
        self._moved = cut if cut != address else ""
        self.left = False

    async def __call__(self, moved: str = "") -> None:
        self.left = True
        moved, self._moved = self._moved, ""
        if self._leaving is not None:
            await self._leaving(moved)
