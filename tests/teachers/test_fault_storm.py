"""Every class of fault at once, through the whole engine: nothing half-made, nothing untold."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import orjson
import pytest

from synth.chat import Request
from synth.engine import Context, Result, run_graph
from synth.engine.runner import StageCounts, seed_rng
from synth.journal import Journal
from synth.records import Rejection, Sampling, Seed
from synth.teachers import retry
from synth.teachers.http import HttpEndpoint
from synth.teachers.model import Model
from tests.support.faults import FaultRule
from tests.support.graphs import seeds, three_call_graph
from tests.support.openai_server import ScriptedServer

STORM = ("500", "429", "reset", "timeout", "truncated", "schema", "empty")
STAGE = "1/make"


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits of milliseconds: what is tested is that they happen, not how long they take."""
    monkeypatch.setattr(retry, "_backoff", lambda policy, tries: 0.01)


def storm(body: Mapping[str, Any], attempt: int) -> str:
    """Five in a hundred of each, decided by the request and how often it was asked."""
    draw = int(20 * Random(f"{attempt}/{orjson.dumps(body)!r}").random())
    return STORM[draw] if draw < len(STORM) else ""


async def run(journal: Journal, endpoint: HttpEndpoint, records: int, **options: Any) -> StageCounts:
    """The three-call flow over the endpoint."""
    model = Model("teacher", "scripted", "w1", "scripted", endpoint, journal)

    def context(seed: Seed) -> Context:
        return Context(
            "test", "fixed", 1, "make", seed.id, {"teacher": model}, None, seed_rng(0, "make", seed.id)
        )

    return await run_graph(
        three_call_graph(), seeds(records), context, journal, stage=STAGE, window=64, **options
    )


def results_of(journal: Journal) -> list[Result]:
    return [Result.load(payload) for payload in journal.results(STAGE)]


async def test_a_storm_of_faults_costs_no_record_its_story(journal: Journal) -> None:
    """Seven faults at 5 % each and a server restart in the middle: each record is complete,
    or a rejection that says where, why, after how many tries, and what came back."""
    said, away = listener()
    async with ScriptedServer(latency=0.01, faults=storm, retry_after=0.02) as server:
        endpoint = HttpEndpoint(server.base_url, timeout=1.0, say=said, probe_every=0.02)
        restart: list[asyncio.Task[None]] = []

        async def bounce() -> None:
            await server.down()
            await away.wait()
            await server.up()

        done = 0

        def on_done(result: Result) -> None:
            nonlocal done
            done += 1
            if done == 75:
                restart.append(asyncio.create_task(bounce()))

        counts = await run(journal, endpoint, 150, on_done=on_done)
        await asyncio.gather(*restart)
        await endpoint.aclose()
    assert {entry.fault for entry in server.log.entries} == {"", *STORM}
    results = results_of(journal)
    assert counts.seeds == len(results) == len({result.seed for result in results}) == 150
    assert all(len(result.samples) + len(result.rejections) == 1 for result in results)
    assert counts.kept >= 140, "retries and one repair carry nearly every record through"
    for result in results:
        for sample in result.samples:
            agents = [call.agent for call in sample.lineage.calls]
            assert sorted(set(agents)) == ["check", "draft", "write"]
            assert all(journal.find(bytes.fromhex(call.key)) for call in sample.lineage.calls)
            assert sample.completion and sample.completion[0]["content"].startswith("text ")
        assert all(told(rejection) for rejection in result.rejections)


def listener() -> tuple[Callable[[str], None], asyncio.Event]:
    """What an endpoint is given to speak to, and the event that it said it is away."""
    away = asyncio.Event()
    return lambda text: away.set() if "does not answer" in text else None, away


def told(rejection: Rejection) -> bool:
    """Whether a rejection has its whole story."""
    where = rejection.node in ("draft", "check", "write")
    return (
        where and bool(rejection.reason and rejection.error and rejection.detail) and rejection.attempts > 0
    )


STORIES = {
    "500": ("call-failed", "http-500", 6, "scripted fault 500"),
    "503": ("call-failed", "http-503", 12, "scripted fault 503"),
    "429": ("call-failed", "http-429", 12, "Rate limit reached"),
    "400": ("call-failed", "http-400", 1, "scripted fault 400"),
    "reset": ("call-failed", "connection", 6, ""),
    "reset-mid-body": ("call-failed", "connection", 6, ""),
    "timeout": ("call-failed", "timeout", 3, ""),
    "truncated": ("call-failed", "garbled-reply", 6, '{"id":"chatcmpl-'),
    "shape": ("call-failed", "garbled-reply", 6, '{"id":"chatcmpl-'),
    "schema": ("unparsed", "Unparsed", 2, '{"unexpected": true}'),
    "empty": ("unparsed", "Unparsed", 2, ""),
    "length": ("truncated", "length", 1, '{"text'),
}


def doomed(hopeless: tuple[str, ...]) -> FaultRule:
    """Seed 0 always meets the first fault, seed 1 the second, …; all others meet none."""

    def rule(body: Mapping[str, Any], attempt: int) -> str:
        number = body["messages"][1]["content"].partition(":")[0]
        return hopeless[int(number)] if number.isdigit() and int(number) < len(hopeless) else ""

    return rule


async def test_a_fault_that_stays_rejects_its_record_alone(journal: Journal) -> None:
    """Each class ends after its own number of tries, with its name and what the server sent."""
    async with ScriptedServer(faults=doomed(tuple(STORIES)), retry_after=0.005) as server:
        endpoint = HttpEndpoint(server.base_url, timeout=0.6)
        counts = await run(journal, endpoint, 30)
        await endpoint.aclose()
    assert (counts.kept, counts.rejected) == (30 - len(STORIES), len(STORIES))
    rejections = [rejection for result in results_of(journal) for rejection in result.rejections]
    for rejection, (reason, error, attempts, raw) in zip(rejections, STORIES.values(), strict=True):
        assert (rejection.node, rejection.reason, rejection.error) == ("draft", reason, error)
        assert rejection.attempts == attempts
        assert rejection.raw.startswith(raw) if raw.startswith("{") else raw in rejection.raw
        assert told(rejection)


async def test_mixed_faults_are_all_told(journal: Journal) -> None:
    """A call that failed in several ways names them all, and no class used up another's tries."""
    tries = ["reset", "500", "truncated", "reset"] + ["timeout"] * 3
    async with ScriptedServer(script=tries) as server:
        endpoint = HttpEndpoint(server.base_url, timeout=0.6)
        await run(journal, endpoint, 1)
        await endpoint.aclose()
    (rejection,) = results_of(journal)[0].rejections
    assert (rejection.error, rejection.attempts) == ("timeout", 7)
    assert "timeout 3x, connection 2x, http-500 1x, garbled-reply 1x" in rejection.detail


async def test_an_empty_answer_is_asked_for_once_more_and_then_believed(journal: Journal) -> None:
    """A hiccup costs one request; a model that has nothing to say is not asked for ever."""
    async with ScriptedServer(script=["empty", "ok"], faults={"empty": 1.0}) as server:
        endpoint = HttpEndpoint(server.base_url)
        model = Model("teacher", "scripted", "w1", "scripted", endpoint, journal)
        said = [(await model.ask(request))[0].text for request in plain("a", "b")]
        await endpoint.aclose()
    assert said[0] != "" and said[1] == ""
    assert len(server.log.entries) == 4


async def test_retry_after_is_waited_for(journal: Journal) -> None:
    """The server's own time is kept to, never cut short by a quicker guess."""
    async with ScriptedServer(script=["429"], retry_after=0.4) as server:
        endpoint = HttpEndpoint(server.base_url)
        model = Model("teacher", "scripted", "w1", "scripted", endpoint, journal)
        await model.ask(plain("a")[0])
        await endpoint.aclose()
    refused, answered = server.log.entries
    assert answered.at - refused.at >= 0.4


async def test_a_lone_call_waits_out_a_restart(journal: Journal) -> None:
    """One call in flight is enough for the breaker: a server that is away fails no record."""
    async with ScriptedServer() as server:
        said, away = listener()
        endpoint = HttpEndpoint(server.base_url, say=said, probe_every=0.02)
        model = Model("teacher", "scripted", "w1", "scripted", endpoint, journal)
        await server.down()
        asking = asyncio.create_task(model.ask(plain("a")[0]))
        await away.wait()
        await server.up()
        assert (await asking)[0].text
        await endpoint.aclose()


async def test_an_endpoint_without_guided_decoding_is_asked_without_a_schema(journal: Journal) -> None:
    """A 400 about `response_format` is no fault of the records: they are sent again plain."""
    reply = orjson.dumps({"text": "text by heart"}).decode()
    async with ScriptedServer(structured="refuse", reply=lambda messages, body: reply) as server:
        said: list[str] = []
        endpoint = HttpEndpoint(server.base_url, say=said.append)
        counts = await run(journal, endpoint, 20)
        await endpoint.aclose()
    assert (counts.kept, counts.rejected) == (20, 0)
    assert len(said) == 1 and "no schema" in said[0]
    assert sum(entry.status == 400 for entry in server.log.entries) <= 20


def plain(*texts: str) -> list[Request]:
    """One request for each text."""
    return [Request([{"role": "user", "content": text}], Sampling(max_tokens=8)) for text in texts]
