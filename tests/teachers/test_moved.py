"""Servers that send calls on: followed on the same server, never with the key to another."""

from __future__ import annotations

from typing import Any

import pytest

from synth.chat import Request
from synth.errors import EndpointError
from synth.records import Sampling
from synth.teachers.http import HttpEndpoint
from tests.support.openai_server import ScriptedServer
from tests.support.wire import Reply
from tests.support.wire import Request as Asked

ASK = Request([{"role": "user", "content": "2+2?"}], Sampling(max_tokens=8))


class Moved(ScriptedServer):
    """Sends everything below /old on to `there`."""

    def __init__(self, there: str, status: int, **options: Any) -> None:
        self.there, self.status, self.sent_on = there, status, 0
        super().__init__(lambda messages, body: "4", **options)

    async def _handle(self, request: Asked) -> Reply:
        if not request.path.startswith("/old"):
            return await super()._handle(request)
        self.sent_on += 1
        path = request.path.removeprefix("/old")
        return Reply(b"", self.status, headers={"Location": self.there + path})


async def ask(server: ScriptedServer) -> str:
    endpoint = HttpEndpoint(f"http://{server.host}:{server.port}/old/v1", api_key="secret")
    try:
        [reply] = await endpoint.chat(ASK, "scripted", 1, 0, "name")
        assert await endpoint.served() == ["scripted"]
        return reply.text
    finally:
        await endpoint.aclose()


@pytest.mark.parametrize("status", [307, 308])
async def test_another_path_of_the_same_server_is_followed(status: int) -> None:
    """With the same method, body and key, as a proxy in front of a server wants it."""
    async with Moved("", status, api_key="secret") as server:
        assert await ask(server) == "4"
    assert (server.sent_on, len(server.log.entries)) == (2, 1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_another_server_is_named_and_gets_nothing(status: int) -> None:
    """Neither the question nor the key go to an address that nobody has written down."""
    async with ScriptedServer() as other:
        there = f"http://localhost:{other.port}"
        async with Moved(there, status) as server:
            with pytest.raises(EndpointError, match=f"answers {status}.*{there}/v1/chat") as caught:
                await ask(server)
            assert f"write base_url: {there}/v1 " in caught.value.cure
            assert server.sent_on == 1
    assert not other.log.entries


async def test_a_circle_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three moves are followed, no more."""
    async with Moved("/old", 307) as server:
        with pytest.raises(EndpointError, match="sends calls on"):
            await ask(server)
    assert server.sent_on == 4
