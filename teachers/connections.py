"""HTTP/1.1 to one server over connections that are kept: what model servers speak, and no more.

A call costs a quarter of what a general client takes, since there are no cookies and no compression
to be ready for. Every response is read whole. 307 and 308 are followed to another path of the same
server, never to another: the headers hold its key.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Mapping
from typing import cast

from yarl import URL

from synth.teachers.response import Garbled, Response, ResponseReader
from synth.teachers.route import Barred, Route, Unreachable

__all__ = ["Barred", "Connections", "Unreachable"]

_KEPT = 4.0
"""Seconds a connection is kept idle: servers close theirs after 5, and a race with that loses calls."""
_MOVED = (307, 308)
"""The method and the body stay as they are; the other statuses of a move do not promise that."""
_HOPS = 3
"""Moves that are followed for one request."""


class Connections:
    """As many connections to the server of `origin` as there are requests at once, used again.

    `headers` go with each request. `connect` is seconds that connecting may take.
    """

    def __init__(self, origin: URL, headers: Mapping[str, str], connect: float = 30.0) -> None:
        self._origin, self._route = origin, Route(origin)
        self._connect_seconds = connect
        named = {"Host": origin.raw_authority, "Accept": "*/*", **headers}
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        self._heads: dict[tuple[str, URL], bytes] = {}
        self._idle: deque[_Line] = deque()

    async def get(self, url: URL, seconds: float) -> Response:
        """Raises as `post` does."""
        return await self._ask("GET", url, b"\r\n", seconds)

    async def post(self, url: URL, body: bytes, name: str, seconds: float) -> Response:
        """The response, of whatever status; `name` goes along as X-Request-Id.

        Raises `Unreachable` if there is no connection to be had, and of that `Barred` if there never
        will be, `ConnectionError` if it breaks before the response is whole, `TimeoutError` if that
        takes more than `seconds` from sending. A call that is given up closes its connection, which
        tells the server.
        """
        rest = b"Content-Length: %d\r\nX-Request-Id: %b\r\n\r\n%b" % (len(body), name.encode(), body)
        return await self._ask("POST", url, rest, seconds)

    def close(self) -> None:
        """Close what is kept."""
        while self._idle:
            self._idle.pop().close()

    async def _ask(self, method: str, url: URL, rest: bytes, seconds: float) -> Response:
        """Send, and send again where the server says that it moved, as long as it is this one."""
        response = await self._send(self._head(method, url) + rest, seconds)
        hops = 0
        while response.status in _MOVED and hops < _HOPS and (there := self._moved(url, response)):
            url, hops = there, hops + 1
            response = await self._send(self._first(method, url) + rest, seconds)
        return response

    def _moved(self, url: URL, response: Response) -> URL | None:
        """Where a response sends its request, None for another server or no address."""
        try:
            there = url.join(URL(response.headers["location"]))
            return there if there.origin() == self._origin else None
        except (KeyError, ValueError):
            return None

    async def _send(self, data: bytes, seconds: float) -> Response:
        line = self._kept() or await self._connect()
        try:
            response = await line.ask(data, seconds)
        except BaseException:
            line.close()
            raise
        if line.usable and response.keep:
            line.since = line.loop.time()
            self._idle.append(line)
        else:
            line.close()
        return response

    def _head(self, method: str, url: URL) -> bytes:
        """The start of a request, which is the same for all to one address."""
        head = self._heads.get((method, url))
        if head is None:
            head = self._heads[method, url] = self._first(method, url)
        return head

    def _first(self, method: str, url: URL) -> bytes:
        return f"{method} {url.raw_path_qs} HTTP/1.1\r\n{self._headers}".encode()

    def _kept(self) -> _Line | None:
        """The connection used last, which is the likeliest to be alive; old ones are closed."""
        while self._idle and self._idle[0].stale:
            self._idle.popleft().close()
        while self._idle:
            line = self._idle.pop()
            if line.usable:
                return line
        return None

    async def _connect(self) -> _Line:
        loop = asyncio.get_running_loop()
        return await self._route.connect(lambda: _Line(loop), self._connect_seconds)


class _Line(asyncio.Protocol):
    """One connection: one request at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.since = 0.0
        self._reader = ResponseReader()
        self._waiting: asyncio.Future[Response] | None = None
        self._transport: asyncio.Transport | None = None

    @property
    def usable(self) -> bool:
        """Whether it is still open, as far as is known."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def stale(self) -> bool:
        """Whether it was idle for longer than servers like."""
        return self.loop.time() - self.since > _KEPT

    async def ask(self, data: bytes, seconds: float) -> Response:
        """Send a whole request, and wait for its whole response."""
        if self._transport is None:
            raise ConnectionResetError("the server closed the connection")
        self._waiting = self.loop.create_future()
        timer = self.loop.call_later(seconds, self._settle, TimeoutError(f"no answer within {seconds:g} s"))
        try:
            self._transport.write(data)
            return await self._waiting
        finally:
            timer.cancel()

    def close(self) -> None:
        """Give the connection up."""
        self._waiting = None
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        with contextlib.suppress(OSError, AttributeError):  # long answers pass boxes that forget the quiet
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def data_received(self, data: bytes) -> None:
        if self._waiting is None:  # nobody asked: whatever it is, the connection is of no more use
            self.close()
            return
        try:
            response = self._reader.feed(data)
        except Garbled as error:
            self._settle(error)
        else:
            if response is not None:
                self._settle(response)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        response = None if error else self._reader.end()
        why = str(error) if error else "the server closed the connection"
        self._settle(response or ConnectionResetError(why))

    def _settle(self, outcome: Response | Exception) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is None or waiting.done():
            return
        if isinstance(outcome, Response):
            waiting.set_result(outcome)
        else:
            waiting.set_exception(outcome)
