"""Several servers in one role: a record keeps to one of them, and one that dies costs throughput only.

Calls are routed by consistent hashing with bounded loads (Mirrokni, Thorup and Zadimoghaddam,
arXiv 1608.01350): a record's id ranks the servers, and its calls go to the first that has no more
than its share of the calls under way, so all calls of a record find its prefix in one server's cache.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from math import ceil

from synth.chat import Leaving, Reply, Request
from synth.errors import EndpointError, SynthError
from synth.teachers.connections import Barred
from synth.teachers.health import Health
from synth.teachers.http import HttpEndpoint
from synth.teachers.retry import with_retries
from synth.teachers.server import Departure, Server
from synth.teachers.wire import Transient

__all__ = ["Pool", "once"]

SLACK = 1.25
"""How much more than its share of the calls under way a server may have."""
EVERY = 2.0
"""Seconds between two looks at the list and at every server."""
MISSES = 3
"""Looks in a row that a server must leave unanswered before its calls in flight are given up."""


class Pool:
    """The servers at `addresses`, asked anew every `EVERY` seconds; the interface of `HttpEndpoint`.

    `join` makes the endpoint of an address, with `retries=once`, and `leave` undoes it. A server
    that leaves the list is drained: it ends its calls and gets no more. After `patience` seconds
    without any server, waiting calls raise `EndpointError`; a look at a server may take `seconds`.
    """

    def __init__(
        self,
        addresses: Callable[[], Sequence[str]],
        join: Callable[[str], Awaitable[HttpEndpoint]],
        leave: Callable[[HttpEndpoint], Awaitable[None]],
        *,
        say: Callable[[str], None] = lambda text: None,
        check: Callable[[str], None] = lambda address: None,
        patience: float = 600.0,
        every: float = EVERY,
        seconds: float = 5.0,
    ) -> None:
        self._addresses = addresses
        self._join, self._leave = join, leave
        self._say, self._check = say, check
        self._patience, self._every, self._seconds = patience, every, seconds
        self.servers: dict[str, Server] = {}
        self._someone = asyncio.Event()
        self._model = ""
        self._watching: asyncio.Task[None] | None = None

    @property
    def width(self) -> int:
        """Calls the usable servers take at once, as far as is known by now."""
        return sum(server.endpoint.width for server in self.servers.values() if server.usable)

    async def start(self, model: str, wait: bool = False) -> None:
        """Look at all servers and watch them from now on. Raises `EndpointError` if none serves `model`.

        With `wait` the first may take `patience` seconds to come.
        """
        self._model = model
        await self._follow()
        await self._look_at_all()
        self._watching = asyncio.create_task(self._watch())
        if not self._someone.is_set() and not wait:
            each = self.servers.values()
            faults = "; ".join(f"{one.address} {one.health.why or 'does not answer'}" for one in each)
            raise EndpointError(
                f"no server answers for {model!r}: {faults or 'the list is empty'}",
                "start one, or correct base_url",
            )
        await self._anyone()

    async def chat(
        self, request: Request, model: str, n: int, first: int, name: str, leaving: Leaving | None = None
    ) -> list[Reply]:
        """As `HttpEndpoint.chat`; each try goes to a server that has not failed this call, if any has not."""
        record = (request.record or name).encode()
        failed: list[Server] = []
        cut = ""

        async def send() -> list[Reply]:
            nonlocal cut
            await self._anyone()
            server = self._choose(record, failed)
            went = Departure(leaving, server.address, cut)
            try:
                return await server.ask(lambda: server.endpoint.chat(request, model, n, first, name, went))
            except Transient as error:
                failed.append(server)
                if went.left:
                    unheard = not error.down and error.kind in ("connection", "timeout")
                    cut = server.address if unheard else ""
                raise
            except EndpointError as error:
                self._lose(server, error.what.removeprefix(f"{server.address} "))
                if not self._someone.is_set():
                    raise
                raise Transient("refused", error.what, down=True) from error

        return await with_retries(send)

    def _choose(self, record: bytes, failed: Sequence[Server]) -> Server:
        """The first of a record's servers that has no more than its share of the calls."""
        usable = [server for server in self.servers.values() if server.usable]
        usable = [server for server in usable if server not in failed] or usable
        if len(usable) == 1:
            return usable[0]
        share = SLACK * (1 + sum(server.calls for server in usable))
        share /= sum(server.endpoint.width for server in usable)
        free = [server for server in usable if server.calls < ceil(share * server.endpoint.width)]
        return max(free or usable, key=lambda server: server.rank(record))

    async def _anyone(self) -> None:
        """Return when there is a server. Raises `EndpointError` once patience has run out."""
        if self._someone.is_set():
            return
        try:
            await asyncio.wait_for(self._someone.wait(), self._patience)
        except TimeoutError:
            tried = ", ".join(self.servers) or "the list is empty"
            raise EndpointError(
                f"no server answered for {self._patience:.0f} s ({tried})",
                "start one again, then run the same command: finished calls are kept",
            ) from None

    # -- servers come, go and fall silent ------------------------------------------------------

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            await self._follow()
            await self._look_at_all()

    async def _follow(self) -> None:
        """Take in who is new on the list, and drain who is not on it any more."""
        wanted = dict.fromkeys(url.rstrip("/") for url in self._addresses())
        for address in wanted.keys() - self.servers.keys():
            endpoint = await self._join(address)
            health = Health(address, lambda address=address: self._unanswered(address))  # type: ignore[misc]
            endpoint.breaker = health
            self.servers[address] = Server(endpoint, health)
        for address, server in list(self.servers.items()):
            if server.draining != (address not in wanted):
                server.draining = not server.draining
                self._say(f"{address} {'leaves: it ends its calls' if server.draining else 'is back'}")
            if server.draining and not server.calls:
                del self.servers[address]
                await self._leave(server.endpoint)
        self._count()

    async def _look_at_all(self) -> None:
        await asyncio.gather(*(self._look(server) for server in list(self.servers.values())))

    async def _look(self, server: Server) -> None:
        """Ask a server whether it is there; one that was lost has to serve the model, too."""
        try:
            self._check(server.address)
        except SynthError as error:  # its process is dead
            self._lose(server, error.what.partition("\n")[0])
            return
        if server.health.up:
            if await self._answers(server):
                server.health.missed = 0
            else:
                server.health.missed += 1
                if server.health.missed >= MISSES:
                    self._lose(server, "does not answer")
                    server.give_up()
            return
        try:
            served = await asyncio.wait_for(server.endpoint.served(), self._seconds)
        except TimeoutError:
            return
        except EndpointError as error:
            if isinstance(error.__cause__, Barred):
                self._lose(server, f"cannot be asked: {error.__cause__}; {error.cure}")
            return
        if self._model in served:
            self._found(server)
        elif not server.health.why:
            self._lose(server, f"does not serve {self._model!r} but {', '.join(sorted(served)[:5])}")

    async def _answers(self, server: Server) -> bool:
        try:
            return await asyncio.wait_for(server.endpoint.answers(), self._seconds)
        except TimeoutError:
            return False

    def _found(self, server: Server) -> None:
        if server.health.lost:
            self._say(f"{server.address} answers again after {time.monotonic() - server.health.lost:.0f} s")
        server.health.found()
        self._count()

    def _unanswered(self, address: str) -> None:
        if address in self.servers:
            self._lose(self.servers[address], "does not answer")

    def _lose(self, server: Server, why: str) -> None:
        if server.health.up or why != server.health.why:
            others = sum(other.usable for other in self.servers.values() if other is not server)
            self._say(f"{server.address} {why}; {others} other{'' if others == 1 else 's'} left")
        server.health.lose(why)
        self._count()

    def _count(self) -> None:
        if any(server.usable for server in self.servers.values()):
            self._someone.set()
        else:
            self._someone.clear()

    async def aclose(self) -> None:
        """Stop watching and close all connections."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        for server in self.servers.values():
            await self._leave(server.endpoint)


async def once(send: Callable[[], Awaitable[list[Reply]]]) -> list[Reply]:
    """One try: the pool makes the next one, elsewhere."""
    return await send()
