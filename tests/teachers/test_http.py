"""The client over real HTTP: every fault has one outcome, and nothing is asked twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from synth.chat import CallFailed, Request
from synth.errors import EndpointError
from synth.journal import Journal
from synth.records import Sampling
from synth.teachers import retry
from synth.teachers.http import HttpEndpoint
from synth.teachers.model import Model
from tests.support.openai_server import ScriptedServer

ASK = Request([{"role": "user", "content": "2+2?"}], Sampling(max_tokens=8))


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits of milliseconds: what is tested is that they happen, not how long they take."""
    monkeypatch.setattr(retry, "_backoff", lambda policy, tries: 0.01)


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer(reply=lambda messages, body: "4") as running:
        yield running


def model(endpoint: HttpEndpoint, journal: Journal, served: str = "scripted") -> Model:
    return Model("teacher", "scripted", "w1", served, endpoint, journal)


@pytest.mark.parametrize(
    "fault", ["500", "503", "429", "reset", "reset-mid-body", "truncated", "shape", "timeout"]
)
async def test_a_passing_fault_is_retried(fault: str, journal: Journal) -> None:
    """Whatever may go away by itself costs a retry and never a sample."""
    async with ScriptedServer(reply=lambda messages, body: "4", script=[fault]) as server:
        endpoint = HttpEndpoint(server.base_url, timeout=0.5)
        replies = await model(endpoint, journal).ask(ASK)
        await endpoint.aclose()
    assert [reply.text for reply in replies] == ["4"]
    assert len(server.log.entries) == 2


async def test_a_lasting_fault_fails_the_call_with_its_story(journal: Journal) -> None:
    """After the last retry the error says what came back and how often it was tried."""
    async with ScriptedServer(faults={"500": 1.0}) as server:
        endpoint = HttpEndpoint(server.base_url)
        with pytest.raises(CallFailed) as caught:
            await model(endpoint, journal).ask(ASK)
        await endpoint.aclose()
    assert caught.value.kind == "http-500"
    assert caught.value.attempts == retry.ATTEMPTS == len(server.log.entries)


async def test_a_bad_request_fails_at_once(journal: Journal) -> None:
    """A request that is wrong stays wrong: no retry."""
    async with ScriptedServer(faults={"400": 1.0}) as server:
        endpoint = HttpEndpoint(server.base_url)
        with pytest.raises(CallFailed, match="http-400"):
            await model(endpoint, journal).ask(ASK)
        await endpoint.aclose()
    assert len(server.log.entries) == 1


async def test_an_unknown_model_stops_the_run(server: ScriptedServer, journal: Journal) -> None:
    """A wrong model name is said once, not once a sample."""
    endpoint = HttpEndpoint(server.base_url)
    with pytest.raises(EndpointError, match="refuses calls for model 'other'") as caught:
        await model(endpoint, journal, served="other").ask(ASK)
    await endpoint.aclose()
    assert "base_url" in caught.value.cure


async def test_a_journaled_call_is_not_sent_again(server: ScriptedServer, journal: Journal) -> None:
    """A replay costs nothing and says the same."""
    endpoint = HttpEndpoint(server.base_url)
    first = await model(endpoint, journal).ask(ASK)
    second = await model(endpoint, journal).ask(ASK)
    await endpoint.aclose()
    assert first == second
    assert len(server.log.entries) == 1
    assert server.log.entries[0].key == first[0].key


async def test_other_weights_are_asked_anew(server: ScriptedServer, journal: Journal) -> None:
    """An answer of the old student is never taken for the new one's."""
    endpoint = HttpEndpoint(server.base_url)
    asked = model(endpoint, journal)
    await asked.ask(ASK)
    asked.become("scripted", "w2")
    await asked.ask(ASK)
    await endpoint.aclose()
    assert len(server.log.entries) == 2


async def test_the_same_call_at_the_same_time_is_one_call(server: ScriptedServer, journal: Journal) -> None:
    """Two graphs that need one answer pay for it once."""
    endpoint = HttpEndpoint(server.base_url)
    asked = model(endpoint, journal)
    replies = await asyncio.gather(*(asked.ask(ASK) for _ in range(5)))
    await endpoint.aclose()
    assert {reply[0].text for reply in replies} == {"4"}
    assert len(server.log.entries) == 1


async def test_n_samples_are_one_request_and_only_missing_ones_are_asked(journal: Journal) -> None:
    """Samples are numbered: asking for three after two sends one request for the third."""
    async with ScriptedServer() as server:
        endpoint = HttpEndpoint(server.base_url)
        warm = Request(ASK.messages, Sampling(temperature=1.0, max_tokens=8))
        two = await model(endpoint, journal).ask(warm, n=2)
        three = await model(endpoint, journal).ask(warm, n=3)
        await endpoint.aclose()
    assert three[:2] == two
    assert len(server.log.entries) == 2


async def test_a_cut_off_answer_says_so(journal: Journal) -> None:
    """finish_reason "length" reaches whoever asked."""
    async with ScriptedServer(reply=lambda messages, body: "a long answer", script=["length"]) as server:
        endpoint = HttpEndpoint(server.base_url)
        replies = await model(endpoint, journal).ask(ASK)
        await endpoint.aclose()
    assert replies[0].truncated


async def test_thinking_is_split_off(journal: Journal) -> None:
    """A thinking block is kept, and is no part of the answer."""
    said = "<think>two and two</think>\n4"
    async with ScriptedServer(reply=lambda messages, body: said) as server:
        endpoint = HttpEndpoint(server.base_url)
        replies = await model(endpoint, journal).ask(ASK)
        await endpoint.aclose()
    assert (replies[0].text, replies[0].thinking) == ("4", "two and two")


async def test_the_breaker_waits_for_an_endpoint_to_come_back(journal: Journal) -> None:
    """A restart of the server pauses the run, says so, and costs no sample."""
    said: list[str] = []
    noticed = asyncio.Event()

    def say(text: str) -> None:
        said.append(text)
        noticed.set()

    async with ScriptedServer(reply=lambda messages, body: "4") as server:
        endpoint = HttpEndpoint(server.base_url, say=say, probe_every=0.02)
        asked = model(endpoint, journal)
        await asked.ask(ASK)
        await server.down()
        questions = [
            Request([{"role": "user", "content": f"{n}?"}], Sampling(max_tokens=8)) for n in range(20)
        ]
        waiting = [asyncio.create_task(asked.ask(question)) for question in questions]
        await noticed.wait()
        await server.up()
        replies = await asyncio.gather(*waiting)
        await endpoint.aclose()
    assert [reply[0].text for reply in replies] == ["4"] * 20
    assert "does not answer" in said[0]
    assert "answers again" in said[-1]


async def test_an_endpoint_that_stays_away_ends_the_run_with_one_error(journal: Journal) -> None:
    """Patience has an end, and says that finished calls are kept."""
    async with ScriptedServer() as server:
        await server.down()
        endpoint = HttpEndpoint(server.base_url, patience=0.1, probe_every=0.02)
        asked = model(endpoint, journal)
        outcomes = await asyncio.gather(
            *(asked.ask(Request([{"role": "user", "content": str(n)}], Sampling())) for n in range(12)),
            return_exceptions=True,
        )
        await endpoint.aclose()
    lost = [outcome for outcome in outcomes if isinstance(outcome, EndpointError)]
    assert lost
    assert "finished calls are kept" in lost[0].cure


async def test_only_samples_that_are_missing_are_asked_for(journal: Journal) -> None:
    """One sample of five asked before is not paid again, nor is its answer another now."""
    asked: list[int] = []

    def reply(messages: object, body: Mapping[str, Any]) -> list[str]:
        asked.append(body.get("n", 1))
        return [f"{len(asked)}, sample {i}" for i in range(asked[-1])]

    async with ScriptedServer(reply=reply) as server:
        endpoint = HttpEndpoint(server.base_url)
        player = model(endpoint, journal)
        (before,) = await player.ask(ASK, first=2)
        after = await player.ask(ASK, n=5)
        replayed = await player.ask(ASK, n=5)
        await endpoint.aclose()
    assert asked == [1, 2, 2]
    assert after[2].text == before.text
    assert [r.text for r in replayed] == [r.text for r in after]
    assert journal.tokens()[1] == sum(reply.completion_tokens for reply in after)


async def test_a_key_that_no_header_can_hold_is_said_at_once() -> None:
    """A line break in the variable would otherwise be a request of its own."""
    with pytest.raises(EndpointError, match="no header may hold") as caught:
        HttpEndpoint("http://127.0.0.1:9/v1", api_key="secret\n")
    assert "secret" not in str(caught.value)
