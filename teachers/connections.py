"""HTTP/1.1 to one server over connections that are kept: what model servers speak, and no more.

A call costs a quarter of what a general client takes, since there are no redirects, cookies,
proxies or compression to be ready for. Every response is read whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections import deque
from collections.abc import Mapping
from typing import cast

from yarl import URL

from synth.teachers.response import Garbled, Response, ResponseReader

__all__ = ["Connections", "Unreachable"]

_KEPT = 4.0
"""Seconds a connection is kept idle: servers close theirs after 5, and a race with that loses calls."""


class Unreachable(ConnectionError):
    """Nobody takes connections at that address."""


class Connections:
    """As many connections to the server of `origin` as there are requests at once, used again.

    `headers` go with each request. `connect` is seconds that connecting may take.
    """

    def __init__(self, origin: URL, headers: Mapping[str, str], connect: float = 30.0) -> None:
        self._host, self._port = origin.raw_host or "", origin.port or 80
        self._tls = ssl.create_default_context() if origin.scheme == "https" else None
        self._connect_seconds = connect
        named = {"Host": origin.raw_authority, "Accept": "*/*", **headers}
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        self._heads: dict[tuple[str, URL], bytes] = {}
        self._idle: deque[_Line] = deque()

    async def get(self, url: URL, seconds: float) -> Response:
        """Raises as `post` does."""
        return await self._ask(self._head("GET", url) + b"\r\n", seconds)

    async def post(self, url: URL, body: bytes, name: str, seconds: float) -> Response:
        """The response, of whatever status; `name` goes along as X-Request-Id.

        Raises `Unreachable` if there is no connection to be had, `ConnectionError` if it breaks
        before the response is whole, `TimeoutError` if that takes more than `seconds` from sending.
        A call that is given up closes its connection, which tells the server.
        """
        head = b"%bContent-Length: %d\r\nX-Request-Id: %b\r\n\r\n"
        return await self._ask(head % (self._head("POST", url), len(body), name.encode()) + body, seconds)

    def close(self) -> None:
        """Close what is kept."""
        while self._idle:
            self._idle.pop().close()

    async def _ask(self, data: bytes, seconds: float) -> Response:
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
            head = f"{method} {url.raw_path_qs} HTTP/1.1\r\n{self._headers}".encode()
            self._heads[method, url] = head
        return head

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
        try:
            async with asyncio.timeout(self._connect_seconds):
                _, line = await loop.create_connection(
                    lambda: _Line(loop), self._host, self._port, ssl=self._tls
                )
                return line
        except TimeoutError as error:
            raise Unreachable(f"no connection within {self._connect_seconds:g} s") from error
        except OSError as error:
            raise Unreachable(str(error)) from error


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
