"""Models of numbers over real HTTP: three routes, one kind of reply, journaled like all others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from synth.chat import CallFailed, Request
from synth.config import ModelSpec
from synth.journal import Journal
from synth.records import Message, Sampling
from synth.teachers import retry
from synth.teachers.model import Model
from synth.teachers.reward import Api, PoolingEndpoint, numbers_of
from synth.teachers.team import Team
from tests.support.openai_server import ScriptedServer

ASKED: list[Message] = [{"role": "user", "content": "2+2?"}]
ANSWERED: list[Message] = [*ASKED, {"role": "assistant", "content": "add<x>4<x>"}]


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits of milliseconds: what is tested is that they happen, not how long they take."""
    monkeypatch.setattr(retry, "_backoff", lambda policy, tries: 0.01)


def scripted(route: str, messages: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Two steps' class probabilities, two classes, or a vector, as vLLM gives them."""
    steps = messages[-1]["content"].count("<x>")
    return {"/pooling": [[0.25, 0.75]] * steps, "/classify": [0.1, 0.9]}.get(route, [0.6, -0.8])


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer(score=scripted) as running:
        yield running


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "journal.db")
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("api", "messages", "expected"),
    [("pooling", ANSWERED, [0.75, 0.75]), ("classify", ASKED, [0.9]), ("embeddings", ASKED, [0.6, -0.8])],
)
async def test_each_route_gives_a_list_of_numbers_once(
    server: ScriptedServer, journal: Journal, api: Api, messages: list[Message], expected: list[float]
) -> None:
    """The good class's number of each row; the second time the journal answers."""
    endpoint = PoolingEndpoint(server.base_url, api=api)
    model = Model("reward", "scripted", "w", "scripted", endpoint, journal)
    for _ in range(2):
        (reply,) = await model.ask(Request(messages, Sampling(max_tokens=1)))
        assert numbers_of(reply.text) == expected
    assert len(server.log.entries) == 1
    assert reply.prompt_tokens > 0
    await endpoint.aclose()


@pytest.mark.parametrize("fault", ["500", "429", "reset", "truncated", "shape"])
async def test_faults_are_retried_as_everywhere(journal: Journal, fault: str) -> None:
    """Retries, breaker and limits are the chat endpoint's own."""
    async with ScriptedServer(score=scripted, script=[fault]) as server:
        endpoint = PoolingEndpoint(server.base_url, api="classify")
        model = Model("reward", "scripted", "w", "scripted", endpoint, journal)
        (reply,) = await model.ask(Request(ASKED, Sampling()))
        assert numbers_of(reply.text) == [0.9]
        assert len(server.log.entries) == 2
        await endpoint.aclose()


async def test_what_is_no_number_is_a_failed_call(journal: Journal) -> None:
    """A model served for another task gives no score, and never a made-up one."""
    async with ScriptedServer(score=lambda route, messages: ["good"]) as server:
        endpoint = PoolingEndpoint(server.base_url, api="classify")
        model = Model("reward", "scripted", "w", "scripted", endpoint, journal)
        with pytest.raises(CallFailed, match="garbled"):
            await model.ask(Request(ASKED, Sampling()))
        await endpoint.aclose()


def test_only_a_question_without_an_answer_is_scored_at_what_comes_next() -> None:
    """A turn the reward model is to answer needs the generation prompt; a finished one must not have it."""
    endpoint = PoolingEndpoint("http://127.0.0.1:1/v1", api="classify")
    assert b"add_generation_prompt" in endpoint._body(Request(ASKED, Sampling()), "m", 1, 0)
    assert b"add_generation_prompt" not in endpoint._body(Request(ANSWERED, Sampling()), "m", 1, 0)
    assert str(endpoint._url) == "http://127.0.0.1:1/classify"
    with pytest.raises(ValueError, match="JSON list"):
        numbers_of('{"score": 1}')


async def test_a_team_asks_each_role_by_its_api(
    server: ScriptedServer, journal: Journal, tmp_path: Path
) -> None:
    """One server may talk in one role and score in another; the flow file's `api` decides."""
    at = {"model": "scripted", "base_url": server.base_url}
    specs = {
        role: ModelSpec.model_validate({**at, "api": api})
        for role, api in [("teacher", "chat"), ("reward", "pooling"), ("embedder", "embeddings")]
    }
    team = Team(specs, journal, tmp_path, learners={}, folders={}, say=lambda text: None)
    await team.start()
    said = {role: (await team.models[role].ask(Request(ANSWERED, Sampling())))[0].text for role in specs}
    assert (said["reward"], said["embedder"]) == ("[0.75,0.75]", "[0.6,-0.8]")
    assert said["teacher"].startswith("add<x>4<x>")
    await team.aclose()
