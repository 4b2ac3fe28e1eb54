"""DRIFT's rounds on programs in the models' places: what is found, asked, chosen, trained and dropped."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from synth.config import load_flow
from synth.engine.session import Session
from synth.errors import DataError
from synth.flows.drift import Params, build, generate, training
from synth.flows.drift.plan import plan
from synth.plan import Survey
from synth.records import Message, Sample
from synth.teachers.http import HttpEndpoint
from synth.teachers.model import Model
from synth.verify.constraints import check
from tests.flows.drift_session import (
    COMMA,
    MISSED,
    SIZE,
    figures,
    noting,
    sessions,
    student,
    texts,
    write_rows,
)
from tests.support.openai_server import ScriptedServer

ROOT = Path(__file__).parents[2]
TALK = [
    {"role": "user", "content": "Name a river."},
    {"role": "assistant", "content": "The Rhine, I would say, if you ask me."},
    {"role": "user", "content": "Only the name, as I said!"},
    {"role": "assistant", "content": "Rhine"},
    {"role": "user", "content": "Great. Now a lake."},
]


begin = pytest.fixture(sessions, name="begin")


async def test_the_complaint_is_in_view_when_asked_and_not_when_learnt(begin: Callable[..., Session]) -> None:
    """The method in one test: a better reply is made with the user's complaint in view, and the pair
    that is trained holds the bare request."""
    asked: list[list[Message]] = []
    session = begin(models={"student": noting(student, asked)})
    samples = list(await generate(session))
    assert len(samples) == MISSED
    for sample in samples:
        chosen, rejected = texts(sample)
        [prompt] = sample.prompt
        assert prompt["content"].startswith("Write about river #")
        assert sample.meta["feedback"] not in prompt["content"]
        assert sample.meta["wish"] in sample.meta["feedback"]
        assert chosen != rejected and rejected.startswith("Well, ")
        assert [verdict.value for verdict in sample.verdicts] == [True, False]
        assert [call.agent for call in sample.lineage.calls] == ["reply"]
    guided = [messages for messages in asked if len(messages) == 3]
    complaints = {sample.meta["feedback"] for sample in samples}
    assert {messages[-1]["content"].partition("\n")[0] for messages in guided} == complaints
    assert all(
        messages[1] == {"role": "assistant", "content": texts_of(samples, messages)} for messages in guided
    )


def texts_of(samples: list[Sample], messages: list[Message]) -> str:
    """The rejected reply of the sample that these messages ask a better one for."""
    return next(texts(sample)[1] for sample in samples if sample.prompt == messages[:1])


async def test_repairs_come_first_and_are_trained_longer(begin: Callable[..., Session]) -> None:
    """The warm start: replies that were revised until they pleased, three epochs, nobody asked again;
    the next round is an iteration on the same complaints."""
    session = begin(repairs_first=True)
    samples = list(await generate(session))
    first = figures(session)
    assert [sample.meta["kind"] for sample in samples] == ["repair"] * MISSED
    assert all(
        check(texts(sample)[0], [{"type": kind, "args": {}} for kind in sample.meta["missed"]]).strict
        for sample in samples
    )
    assert (first["kind"], first["satisfied"], first["dissatisfied"], first["repairs"]) == ("repair", 4, 8, 8)
    assert not [call for sample in samples for call in sample.lineage.calls]
    assert training(session).epochs == 3.0
    session.round = 2
    again = list(await generate(session))
    assert {sample.meta["kind"] for sample in again} == {"iteration"}
    assert {sample.meta["feedback"] for sample in again} == {sample.meta["feedback"] for sample in samples}
    assert session.journal.stage(2, "signals") is None
    assert training(session) == session.flow.train


async def test_figures_of_a_round(begin: Callable[..., Session]) -> None:
    """What a round was made of can be read beside its data."""
    session = begin()
    await generate(session)
    found = figures(session)
    assert (found["satisfied"], found["dissatisfied"], found["pairs"], found["drops"]) == (4, 8, 8, {})
    assert sum(found["complaints"].values()) == 8
    assert found["missed"] == {"change_case:english_capital": 4, COMMA: 4}
    assert (found["chosen_pass"], found["rejected_pass"]) == (1.0, 0.0)
    assert 0.8 < found["length_ratio"] < 1 and 0.2 < found["edit_distance"] < 1


async def test_a_second_call_makes_the_same_samples_and_asks_nobody(begin: Callable[..., Session]) -> None:
    """`generate` after a crash: same samples in the same order, no new call."""
    first = begin()
    ids = [sample.id for sample in await generate(first)]
    first.folder.close()
    asked: list[list[Message]] = []
    again = begin(models={"student": noting(student, asked)})
    assert [sample.id for sample in await generate(again)] == ids
    assert asked == []


def rubric(messages: Sequence[Message]) -> str:
    """Rates the second turn of the user's as displeased, the third as pleased, and a turn that is none."""
    rated = [
        {"turn": 3, "reason": "corrects", "verdict": "DSAT", "wish": "Only the name of the river."},
        {"turn": 5, "reason": "praises", "verdict": "SAT"},
        {"turn": 4, "reason": "is the assistant's", "verdict": "DSAT", "wish": "x"},
    ]
    assert '<turn number="3" role="user">' in messages[-1]["content"]
    assert "just before it: 3, 5." in messages[-1]["content"]
    return f"Here you are: {json.dumps({'turns': rated})}"


async def test_a_rubric_agent_finds_dissatisfaction_and_the_wish(
    begin: Callable[..., Session], tmp_path: Path
) -> None:
    """Untagged conversations: ratings go to the replies they speak of, the wish goes into the prompt, and
    a conversation in which nobody reacts is counted, not lost."""
    silent = {"messages": TALK[:2]}
    endless = {"messages": [{**turn, "content": turn["content"] * 300} for turn in TALK]}
    source = write_rows(tmp_path / "talk.jsonl", [{"conversation": TALK}, silent, endless])
    asked: list[list[Message]] = []
    session = begin(
        detect="rubric",
        samples=1,
        data={"conversations": {"source": str(source), "shape": "conversations"}},
        models={"annotator": rubric, "student": noting(lambda messages, sample: "The Rhine.", asked)},
    )
    [sample] = list(await generate(session))
    assert texts(sample) == ("The Rhine.", TALK[1]["content"]) and sample.prompt == TALK[:1]
    assert [messages[:-1] for messages in asked] == [TALK[:2]]
    assert asked[0][-1]["content"].startswith(f"{TALK[2]['content']}\nIn short, what I want: Only the name")
    found = figures(session)
    assert (found["satisfied"], found["dissatisfied"], found["repairs"], found["chosen_pass"]) == (
        1,
        1,
        1,
        None,
    )
    assert [rejection.reason for rejection in session.rejections()] == ["no-reaction", "too-long"]


async def test_tags_in_the_data_need_no_detector(begin: Callable[..., Session], tmp_path: Path) -> None:
    """The paper's own way: what is tagged is taken, and a round asks the student alone."""
    rows = [
        {"prompt": TALK[:1], "rejected": TALK[1]["content"], "user_preference": TALK[2]["content"]},
        {"prompt": TALK[:1], "rejected": "No idea.", "chosen": "Rhine"},
    ]
    source = write_rows(tmp_path / "talk.jsonl", rows)
    data = {"conversations": {"source": str(source), "shape": "conversations"}}
    session = begin(
        detect="tags",
        repairs_first=True,
        data=data,
        models={"student": lambda messages, sample: "Rhine river."},
    )
    [repair] = list(await generate(session))
    assert texts(repair) == ("Rhine", "No idea.")
    session.round = 2
    [pair] = list(await generate(session))
    assert texts(pair) == ("Rhine river.", TALK[1]["content"])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"repairs_first": True}, "revised so that it pleased"),
        ({"arm": "control-spin"}, "SPIN needs replies that pleased"),
    ],
)
async def test_nothing_to_train_on_is_told_with_its_cure(
    begin: Callable[..., Session], params: dict[str, Any], message: str
) -> None:
    """A student that never obeys leaves no repair and nobody pleased."""
    session = begin(models={"student": lambda messages, sample=0: "no, never, not at all"}, **params)
    with pytest.raises(DataError, match=message) as caught:
        await generate(session)
    assert caught.value.cure


async def test_prompts_without_constraints_are_refused(begin: Callable[..., Session], tmp_path: Path) -> None:
    """A simulated user who can check nothing would never complain."""
    source = write_rows(tmp_path / "plain.jsonl", [{"question": "Hello?"}])
    session = begin(data={"pool": {"source": str(source), "answer": None}})
    with pytest.raises(DataError, match="needs constraints"):
        await generate(session)


async def test_a_round_over_http(begin: Callable[..., Session]) -> None:
    """Student and user behind a real wire: chat for the one, a plain text where the arm asks for it."""

    def answer(messages: Sequence[Any], body: dict[str, Any]) -> str | list[str]:
        if "<missed>" in messages[-1]["content"]:
            return json.dumps({"complaint": "Do as I said: commas in capital letters!"})
        return [student(messages, index) for index in range(body.get("n", 1))]

    async with ScriptedServer(reply=answer) as server:
        for arm in ("fixed", "faithful"):
            session = begin(arm, arm=arm)
            endpoint = HttpEndpoint(server.base_url)
            session.models = {
                role: Model(role, "scripted", "w", "scripted", endpoint, session.journal)
                for role in ("student", "user")
            }
            samples = list(await generate(session))
            await endpoint.aclose()
            session.folder.close()
            assert len(samples) == MISSED
            first = {texts(sample)[0].split()[0] for sample in samples}
            assert first == ({"THE"} if arm == "fixed" else {"Lakes"})
        assert {entry.status for entry in server.log.entries} == {200}


def test_the_flow_file_is_checked(tmp_path: Path) -> None:
    """A role or a source that the way of detecting needs is missed before anything is started."""
    params = build().check
    assert params is not None
    path = tmp_path / "flow.yaml"
    path.write_text('flow: drift\nmodels: {student: {program: "x:y"}}\nwith: {detect: rubric}\n')
    problems = params(load_flow(path, params=lambda name: Params))
    assert ["annotator" in str(problems[0]), "data.conversations" in str(problems[1])] == [True, True]
    path.write_text('flow: drift\nmodels: {student: {program: "x:y"}}\n')
    problems = params(load_flow(path, params=lambda name: Params))
    assert ["'user'" in str(problems[0]), "data.pool" in str(problems[1])] == [True, True]


@pytest.mark.parametrize("profile", [None, "tiny", "gpu-80gb", "gpu-simulator"])
def test_the_shipped_flow_file_is_sound(profile: str | None) -> None:
    """Every profile has the roles and the data that its way of detecting needs."""
    loaded = load_flow(ROOT / "flows" / "drift.yaml", profile=profile, params=lambda name: Params)
    check_flow = build().check
    assert check_flow is not None and check_flow(loaded) == []
    assert loaded.flow.train.objective == "dpo" and loaded.flow.train.dpo.beta == 0.1


async def test_the_plan_multiplies_what_a_probe_found(begin: Callable[..., Session]) -> None:
    """Eight of twelve prompts miss something: so many complaints, revisions, and twice as many replies
    for pairs; nobody is asked in a warm start, which is half of two rounds."""
    session = begin()
    list(await generate(session))
    results = {"signals": list(session.results("signals"))}
    questions = {"pool": session.questions("pool")}
    for first, calls in ((False, 16.0), (True, 8.0)):
        params = session.params.model_copy(update={"repairs_first": first})
        signals, pairs = plan(Survey(session.flow, params, questions, results))
        assert [agent.calls for agent in signals.agents] == [SIZE, MISSED, MISSED] and signals.first_only
        assert [agent.calls for agent in pairs.agents] == [calls]
