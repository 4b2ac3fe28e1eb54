"""Kept connections over real sockets, on the event loop that runs use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from yarl import URL

from synth.engine.tuning import run_loop
from synth.teachers import connections
from synth.teachers.connections import Connections, Unreachable

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=[run_loop, asyncio.run], ids=["uvloop", "asyncio"])
def run(request: pytest.FixtureRequest) -> Run:
    """Both event loops: transports of the two are not of one class."""
    return request.param  # type: ignore[no-any-return]


@asynccontextmanager
async def serving(*answers: Answer) -> AsyncIterator[tuple[Connections, URL, list[int]]]:
    """A server that gives its n-th request the n-th answer; the number of each request's connection."""
    left, opened, used = list(answers), 0, []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        number = opened
        while left:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            length = next((line for line in head.split(b"\r\n") if line.startswith(b"Content-Length")), b":0")
            await reader.readexactly(int(length.partition(b":")[2]))
            used.append(number)
            await left.pop(0)(reader, writer)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    origin = URL(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    client = Connections(origin, {})
    try:
        yield client, origin / "v1", used
    finally:
        client.close()
        server.close()


async def good(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(OK)


async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(OK[:-1])
    writer.close()


async def good_then_gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(OK)
    await writer.drain()
    writer.close()


def test_a_connection_serves_one_call_after_another(run: Run) -> None:
    """Connecting anew for each call would cost more than the call."""

    async def work() -> None:
        async with serving(good, good, good) as (client, url, used):
            for _ in range(3):
                assert (await client.post(url, b"{}", "x", 5.0)).body == b"ok"
            assert used == [1, 1, 1]

    run(work())


def test_a_connection_that_broke_is_an_error_and_is_not_used_again(run: Run) -> None:
    """Half an answer fails the call; the next call gets a connection of its own."""

    async def work() -> None:
        async with serving(half, good) as (client, url, used):
            with pytest.raises(ConnectionError):
                await client.post(url, b"{}", "x", 5.0)
            assert (await client.post(url, b"{}", "x", 5.0)).status == 200
            assert used == [1, 2]

    run(work())


def test_a_connection_that_was_closed_while_idle_costs_no_call(run: Run) -> None:
    """Servers close idle connections; the client notices before it sends."""

    async def work() -> None:
        async with serving(good_then_gone, good) as (client, url, used):
            await client.post(url, b"{}", "x", 5.0)
            while client._idle and client._idle[0].usable:  # noqa: ASYNC110 (nobody tells)
                await asyncio.sleep(0)
            assert (await client.post(url, b"{}", "x", 5.0)).status == 200
            assert used == [1, 2]

    run(work())


def test_a_connection_idle_for_long_is_not_used(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server is about to close it: a call sent now might be lost."""
    monkeypatch.setattr(connections, "_KEPT", -1.0)

    async def work() -> None:
        async with serving(good, good) as (client, url, used):
            await client.post(url, b"{}", "x", 5.0)
            await client.post(url, b"{}", "x", 5.0)
            assert used == [1, 2]

    run(work())


def test_a_call_given_up_closes_its_connection(run: Run) -> None:
    """By that a model server knows to stop generating."""

    async def work() -> None:
        given_up = asyncio.Event()

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            assert await reader.read() == b""  # returns when the client has closed
            given_up.set()

        async with serving(silent) as (client, url, _):
            with pytest.raises(TimeoutError, match="no answer within"):
                await client.post(url, b"{}", "x", 0.05)
            await asyncio.wait_for(given_up.wait(), 5)

    run(work())


def test_nobody_there_is_told_from_a_broken_connection(run: Run) -> None:
    """It is what the breaker counts."""

    async def work() -> None:
        async with serving(good) as (client, url, _):
            pass
        with pytest.raises(Unreachable):
            await client.get(url, 5.0)

    run(work())
