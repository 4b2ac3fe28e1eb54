"""HTTP/1.1 as far as a scripted server needs it, in a few microseconds a request.

A benchmark shares the machine with this server, so it parses its own requests: one at a
time on a kept connection, with a Content-Length, as every client of the OpenAI API sends.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import NamedTuple, cast

import orjson

__all__ = ["Connection", "Reply", "Request", "error"]

JSON = "application/json"
KINDS = {400: "BadRequestError", 401: "AuthenticationError", 404: "NotFoundError", 429: "RateLimitError"}
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER value that makes closing a socket send a reset."""


class Request(NamedTuple):
    """One parsed request; header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]


class Reply(NamedTuple):
    """One reply. `sent` is the share of it that goes out before the connection is reset."""

    payload: bytes
    status: int = 200
    kind: str = JSON
    headers: Mapping[str, str] = {}
    sent: float = 1.0

    def encode(self) -> bytes:
        """The reply as bytes, cut at `sent` of the payload."""
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}", f"Content-Type: {self.kind}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        head = "\r\n".join([*lines, f"Content-Length: {len(self.payload)}\r\n\r\n"]).encode()
        return head + self.payload[: int(len(self.payload) * self.sent)]


def error(status: int, message: str, *, param: str | None = None, retry_after: float | None = None) -> Reply:
    """An error reply in vLLM's shape."""
    kind = KINDS.get(status, "InternalServerError")
    detail = {"message": message, "type": kind, "param": param, "code": status}
    headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
    return Reply(orjson.dumps({"error": detail}), status, headers=headers)


class Connection(asyncio.Protocol):
    """One client connection. `open` holds all live ones; a client that leaves cancels its request."""

    def __init__(self, answer: Callable[[Request], Awaitable[Reply]], open: set[Connection]) -> None:
        self.answer, self.open = answer, open
        self.buffer = bytearray()
        self.task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is not a subclass
        self.open.add(self)

    def connection_lost(self, problem: Exception | None) -> None:
        self.open.discard(self)
        if self.task is not None:
            self.task.cancel()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if self.task is None and (request := self._parse()) is not None:
            self.task = asyncio.get_running_loop().create_task(self._serve(request))

    def reset(self) -> None:
        """Drop the connection so that the client sees a reset, not an end."""
        sock = self.transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.transport.abort()

    def _parse(self) -> Request | None:
        """The next whole request, None until it is there."""
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        first, *lines = self.buffer[:end].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        start, length = end + 4, int(headers.get("content-length", "0"))
        if len(self.buffer) < start + length:
            return None
        body = bytes(self.buffer[start : start + length])
        del self.buffer[: start + length]
        method, target, _ = first.split(" ", 2)
        return Request(method, target, headers, body)

    async def _serve(self, request: Request | None) -> None:
        while request is not None:
            reply = await self.answer(request)
            self.transport.write(reply.encode() if reply.sent else b"")
            if reply.sent < 1:
                await asyncio.sleep(0)  # lets the loop send what was written
                self.reset()
                return
            request = self._parse()
        self.task = None
