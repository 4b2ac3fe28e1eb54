"""The scripted server is what other tests trust: it must speak HTTP and fail as told."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from tests.support.openai_server import ScriptedServer
from tests.support.request_log import paid_twice, read_log

SCHEMA = {
    "type": "object",
    "properties": {"label": {"enum": ["yes", "no"]}, "steps": {"type": "array", "items": {"type": "string"}}},
    "required": ["label", "steps"],
}


def ask(content: str = "What is 2 + 2?", **rest: Any) -> dict[str, Any]:
    return {"model": "scripted", "messages": [{"role": "user", "content": content}], **rest}


async def post(server: ScriptedServer, body: dict[str, Any], **options: Any) -> tuple[int, Any]:
    """Status and JSON of one chat request on a connection of its own."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{server.base_url}/chat/completions", json=body, **options) as response,
    ):
        return response.status, orjson.loads(await response.read())


def contents(reply: dict[str, Any]) -> list[str]:
    return [choice["message"]["content"] for choice in reply["choices"]]


async def test_replies_depend_on_the_request_alone() -> None:
    """A second run must get the replies of the first, whatever the order of requests."""
    async with ScriptedServer() as one, ScriptedServer() as other:
        first = [await post(one, ask(text)) for text in ("a", "b")]
        second = [await post(other, ask(text)) for text in ("b", "a")]
    assert first == second[::-1]
    status, reply = first[0]
    assert status == 200
    assert reply["choices"][0]["finish_reason"] == "stop"
    usage = reply["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0


async def test_n_gives_different_samples_only_above_temperature_zero() -> None:
    """Sampling several choices is how flows vote; greedy choices must agree."""
    async with ScriptedServer() as server:
        _, warm = await post(server, ask(n=3, temperature=0.7))
        _, cold = await post(server, ask(n=3, temperature=0))
    assert len(set(contents(warm))) == 3
    assert len(contents(cold)) == 3 and len(set(contents(cold))) == 1


async def test_own_reply_gets_messages_and_body() -> None:
    """A test scripts the model with a function of the conversation."""
    async with ScriptedServer(
        reply=lambda messages, body: f"{messages[-1]['content']}/{body['n']}"
    ) as server:
        _, reply = await post(server, ask("hello", n=2))
    assert contents(reply) == ["hello/2", "hello/2"]


@pytest.mark.parametrize(
    "asked",
    [
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}},
        {"structured_outputs": {"json": SCHEMA}},
    ],
)
async def test_schema_is_honoured_ignored_or_refused(asked: dict[str, Any]) -> None:
    """Endpoints differ in structured output; a client must cope with all three."""
    async with ScriptedServer() as server:
        _, reply = await post(server, ask(**asked))
        made = orjson.loads(contents(reply)[0])
        assert made["label"] in ("yes", "no") and isinstance(made["steps"][0], str)
    async with ScriptedServer(structured="ignore") as server:
        _, reply = await post(server, ask(**asked))
        assert contents(reply)[0].startswith("What is 2 + 2?")
    async with ScriptedServer(structured="refuse") as server:
        assert (await post(server, ask(**asked)))[0] == 400


async def test_script_gives_each_status_in_order() -> None:
    """Retries are tested against exactly these faults in exactly this order."""
    script = ["500", "503", "429", "400", "401", "404", "ok"]
    async with ScriptedServer(script=script) as server:
        seen = [(await post(server, ask()))[0] for _ in script]
        assert seen == [500, 503, 429, 400, 401, 404, 200]
        assert [entry.attempt for entry in server.log.entries] == list(range(7))
        assert [entry.status for entry in server.log.entries] == seen


async def test_rate_limit_says_when_to_come_back() -> None:
    """A client is told by Retry-After how long to wait."""
    async with (
        ScriptedServer(script=["429"], retry_after=1.5) as server,
        aiohttp.ClientSession() as session,
        session.post(f"{server.base_url}/chat/completions", json=ask()) as response,
    ):
        assert (response.status, response.headers["Retry-After"]) == (429, "1.5")


async def test_broken_connections_break() -> None:
    """A reset before, and one in the middle of, the reply are different errors of the client."""
    async with ScriptedServer(script=["reset", "reset-mid-body"]) as server:
        with pytest.raises(aiohttp.ClientConnectionError):
            await post(server, ask())
        with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ClientOSError)):
            await post(server, ask())
        assert [entry.status for entry in server.log.entries] == [0, 0]


async def test_wrong_content_arrives_as_asked() -> None:
    """Replies with status 200 that are no good: a parser must refuse each."""
    script = ["truncated", "shape", "empty", "schema", "length"]
    async with ScriptedServer(script=script) as server:
        with pytest.raises(orjson.JSONDecodeError):
            await post(server, ask())
        shape, empty, schema, length = [(await post(server, ask()))[1] for _ in script[1:]]
        assert "choices" not in shape
        assert contents(empty) == [""]
        assert contents(schema) == ['{"unexpected": true}']
        assert length["choices"][0]["finish_reason"] == "length"


async def test_timeout_never_answers_and_frees_the_slot_when_the_client_leaves() -> None:
    """A call given up by its client must not count as running for ever."""
    async with ScriptedServer(script=["timeout"]) as server:
        with pytest.raises(TimeoutError):
            await post(server, ask(), timeout=aiohttp.ClientTimeout(total=0.05))
        assert (await post(server, ask()))[0] == 200
        assert server.load.running == 0
        assert [entry.status for entry in server.log.entries] == [499, 200]


async def test_seeded_rates_repeat_and_let_a_retry_through() -> None:
    """Faults by rate must not depend on arrival order, nor hit every retry of one request."""

    async def outcomes(order: list[int]) -> dict[int, int]:
        async with ScriptedServer(faults={"500": 0.3, "503": 0.2}, seed=7) as server:
            return {number: (await post(server, ask(str(number))))[0] for number in order}

    first = await outcomes(list(range(60)))
    assert first == await outcomes(list(range(59, -1, -1)))
    assert 10 <= sum(status != 200 for status in first.values()) <= 50
    failing = next(number for number, status in first.items() if status != 200)
    async with ScriptedServer(faults={"500": 0.3, "503": 0.2}, seed=7) as server:
        retries = [(await post(server, ask(str(failing))))[0] for _ in range(12)]
    assert retries[0] == first[failing] and 200 in retries


async def test_capacity_queues_and_shows_it() -> None:
    """Adaptive concurrency reads the queue from /metrics."""
    async with ScriptedServer(capacity=2, latency=0.1) as server, aiohttp.ClientSession() as session:
        calls = [asyncio.create_task(post(server, ask(str(number)))) for number in range(5)]
        await server.load.reached(running=2, waiting=3)
        async with session.get(f"http://127.0.0.1:{server.port}/metrics") as response:
            page = await response.text()
        assert [status for status, _ in await asyncio.gather(*calls)] == [200] * 5
    assert 'vllm:num_requests_running{engine="0",model_name="scripted"} 2.0' in page
    assert 'vllm:num_requests_waiting{engine="0",model_name="scripted"} 3.0' in page
    assert (server.load.peak_running, server.load.running, server.load.waiting) == (2, 0, 0)


async def test_overload_can_be_refused() -> None:
    """Providers refuse above their limit instead of queueing."""
    async with ScriptedServer(capacity=1, latency=0.05, overload="429") as server:
        calls = await asyncio.gather(*[post(server, ask(str(number))) for number in range(3)])
    assert sorted(status for status, _ in calls) == [200, 429, 429]


async def test_wrong_key_and_unknown_model() -> None:
    """The two mistakes every call of a run would repeat."""
    async with ScriptedServer(api_key="right") as server:
        assert (await post(server, ask(), headers={"Authorization": "Bearer wrong"}))[0] == 401
        right = {"Authorization": "Bearer right"}
        assert (await post(server, ask(), headers=right))[0] == 200
        status, reply = await post(server, {**ask(), "model": "other"}, headers=right)
        assert status == 404 and "other" in reply["error"]["message"]


async def test_adapters_become_models_and_are_lost_on_restart(tmp_path: Path) -> None:
    """A new student is an adapter; a restarted server does not know it any more."""
    load = {"lora_name": "student-1", "lora_path": str(tmp_path)}
    async with ScriptedServer() as server, aiohttp.ClientSession() as session:

        async def admin(route: str, body: dict[str, Any]) -> int:
            async with session.post(f"{server.base_url}/{route}", json=body) as response:
                return response.status

        student = {**ask(), "model": "student-1"}
        assert (await post(server, student))[0] == 404
        assert await admin("load_lora_adapter", load) == 200
        assert (await post(server, student))[0] == 200
        assert await admin("load_lora_adapter", load) == 400
        assert await admin("load_lora_adapter", {**load, "load_inplace": True}) == 200
        assert await admin("load_lora_adapter", {"lora_name": "x", "lora_path": "/nowhere"}) == 404
        assert await admin("unload_lora_adapter", {"lora_name": "student-1"}) == 200
        assert await admin("unload_lora_adapter", {"lora_name": "student-1"}) == 404
        assert await admin("load_lora_adapter", load) == 200
        await server.down()
        await server.up()
        assert (await post(server, student))[0] == 404


async def test_down_refuses_and_up_serves_on_the_same_port() -> None:
    """A restart in the middle of a run: open calls break, new ones are refused, then all is well."""
    async with ScriptedServer(latency=60) as server:
        port = server.port
        open_call = asyncio.create_task(post(server, ask()))
        await server.load.reached(running=1)
        await server.down()
        with pytest.raises(aiohttp.ClientConnectionError):
            await open_call
        with pytest.raises(aiohttp.ClientConnectorError):
            await post(server, ask())
        server.latency = 0
        await server.up()
        assert (await post(server, ask()))[0] == 200 and server.port == port


async def test_log_survives_servers_and_counts_calls_paid_twice(tmp_path: Path) -> None:
    """Crash tests count, over several servers, the requests that were answered twice."""
    path = tmp_path / "requests.jsonl"
    async with ScriptedServer(log=path, script=["500"]) as server:
        for text in ("a", "a", "b"):
            await post(server, ask(text), headers={"X-Request-Id": text})
    assert paid_twice(read_log(path)) == {}
    async with ScriptedServer(log=path) as server:
        await post(server, ask("b"), headers={"X-Request-Id": "b"})
    entries = read_log(path)
    assert [entry.status for entry in entries] == [500, 200, 200, 200]
    assert paid_twice(entries, by="key") == {"b": 2}


async def test_as_a_process_of_its_own(tmp_path: Path) -> None:
    """Benchmarks and kill tests need the server outside the tested process."""
    log = tmp_path / "requests.jsonl"
    command = ["-m", "tests.support.openai_server", "--script", "503", "--log", str(log)]
    root = Path(__file__).parents[2]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdout=asyncio.subprocess.PIPE, cwd=root
    )
    assert process.stdout is not None
    url = f"http://127.0.0.1:{int(await process.stdout.readline())}/v1/chat/completions"
    async with aiohttp.ClientSession() as session:
        for wanted in (503, 200):
            async with session.post(url, json=ask()) as response:
                assert response.status == wanted
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0
    assert [entry.status for entry in read_log(log)] == [503, 200]


async def test_a_reply_function_that_fails_is_told_to_the_client() -> None:
    """A mistake in a test's own reply must not look like a hanging server."""
    async with ScriptedServer(reply=lambda messages, body: messages[7]["content"]) as server:
        status, reply = await post(server, ask())
    assert status == 400 and "IndexError" in reply["error"]["message"]
