"""STAT's difficult questions: by a reward model's steps, by consistency, by length, and how good that is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from synth.config import load_flow
from synth.errors import ConfigError
from synth.flows import load_flow_module
from synth.flows.stat import Params, generate
from synth.flows.stat.check import check
from synth.flows.stat.reward import conversations, is_difficult, split_steps
from synth.records import Message
from synth.teachers.reward import PoolingEndpoint
from tests.flows.stat_session import Sessions, solve
from tests.support.openai_server import ScriptedServer

PLAIN = {"mode": "sel", "rewrites": 0}


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Sessions]:
    sessions = Sessions(tmp_path)
    yield sessions
    sessions.close()


def in_steps(messages: Sequence[Message]) -> str:
    """Two steps; products come out wrong."""
    question = messages[-1]["content"]
    return f"I look at it.\n\nIt is {solve(question) if '+' in question else 0}."


def doubtful(route: str, messages: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Trusts every step but the last ones of products."""
    text = "".join(message["content"] for message in messages)
    last = "It is" in messages[-1]["content"]
    score = 0.1 if "*" in text and last else 0.95
    if route == "/classify":
        return [1 - score, score]
    return [[0.05, 0.95], [1 - score, score]]


def profile_of(session: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((session.folder.round(1) / "profile.json").read_text())
    return found


def test_steps_are_paragraphs_else_lines() -> None:
    """Blank lines part steps; an answer in one paragraph has a step a line."""
    assert split_steps("a\nb\n\n c \n\n\n") == ["a\nb", "c"]
    assert split_steps(" a\nb\n") == ["a", "b"]
    assert split_steps(" \n") == []


@pytest.mark.parametrize(
    ("scores", "difficult"),
    [
        ([0.9, 0.9, 0.95], False),
        ([0.99, 0.99, 0.85], True),  # the last step, at the threshold
        ([0.71, 0.71, 0.95], True),  # the mean
        ([0.7, 1.0, 1.0, 1.0], True),  # an earlier step
        ([0.71, 1.0, 1.0, 1.0], False),
        ([], True),
    ],
)
def test_the_papers_thresholds(scores: list[float], difficult: bool) -> None:
    """Last or mean at most 0.85, or an earlier step at most 0.7."""
    params = Params()
    assert is_difficult(scores, params.tau1, params.tau2) is difficult


def test_the_three_layouts_show_every_step() -> None:
    """Marked: once, a mark a step. Turns: each step a user turn, answered with a plus before the next.
    Prefixes: the answer up to each step."""
    steps = ["one", "two"]
    ((_, marked),) = conversations(Params(reward_layout="marked", step_mark="<m>"), "q", steps)
    assert marked["content"] == "one<m>two<m>"
    first, second = conversations(Params(reward_layout="turns"), "q", steps)
    assert first == [{"role": "user", "content": "q one"}]
    assert [turn["content"] for turn in second] == ["q one", "+", "two"]
    assert second[-1]["role"] == "user"
    _, whole = conversations(Params(reward_layout="prefixes"), "q", steps)
    assert whole[-1] == {"role": "assistant", "content": "one\n\ntwo"}


@pytest.mark.parametrize(("layout", "api", "calls"), [("marked", "pooling", 8), ("turns", "classify", 16)])
async def test_a_reward_model_finds_difficult_questions(
    begin: Sessions, layout: str, api: Any, calls: int
) -> None:
    """Over HTTP, without looking at the known answers, which only tell how well it did; its calls are
    in the journal, and a second run of the stage asks nobody."""
    async with ScriptedServer(score=doubtful) as server:
        reward = PoolingEndpoint(server.base_url, api=api)
        roles = {"student": in_steps, "reward": reward}
        session = begin(detect="reward", reward_layout=layout, roles=roles, **PLAIN)
        samples = list(await generate(session))
        assert len(server.log.entries) == calls
        await reward.aclose()
    assert {sample.skills for sample in samples} == {("products",)}
    found = profile_of(session)
    assert (found["asked"], found["difficult"], found["used"]) == (8, 4, 4)
    assert found["detector"] == {"accuracy": 1.0, "precision": 1.0, "recall": 1.0, "f1": 1.0}
    session.folder.close()
    again = begin(detect="reward", reward_layout=layout, roles=roles, **PLAIN)
    assert [sample.id for sample in await generate(again)] == [sample.id for sample in samples]


async def test_scores_that_do_not_fit_the_steps_are_a_rejection(begin: Sessions) -> None:
    """A wrong step mark shows at once: no question is judged by scores of something else."""
    roles = {"student": in_steps, "reward": lambda messages: "[0.9]"}
    session = begin(detect="reward", reward_layout="marked", roles=roles, **PLAIN)
    assert list(await generate(session)) == []
    rejections = list(session.rejections())
    assert {rejection.reason for rejection in rejections} == {"unscored"}
    assert rejections[0].detail == "1 scores for 2 steps"


async def test_answers_that_never_agree_are_difficult(begin: Sessions) -> None:
    """Consistency: the commonest of five answers must come twice."""

    def guessing(messages: Sequence[Message], sample: int = 0) -> str:
        question = messages[-1]["content"]
        return str(sample) if "*" in question else solve(question) if sample > 2 else f"{sample} apples"

    session = begin(detect="consistency", roles={"student": guessing}, **PLAIN)
    assert {sample.skills for sample in await generate(session)} == {("products",)}
    outputs = [result.output for result in session.results("profile")]
    assert sorted(output["repeats"] for output in outputs) == [1] * 4 + [2] * 4


async def test_long_answers_are_difficult(begin: Sessions) -> None:
    """Length: the mean number of words counts, not one long answer."""

    def rambling(messages: Sequence[Message], sample: int = 0) -> str:
        product = "*" in messages[-1]["content"]
        return "well " * (10 if product or sample == 0 else 1)

    session = begin(detect="length", words=10, roles={"student": rambling}, **PLAIN)
    assert {sample.skills for sample in await generate(session)} == {("products",)}


async def test_a_right_answer_that_wants_no_skill_is_told_as_such(begin: Sessions) -> None:
    """In the faithful arm the verdict drops nothing; but there is nothing to train either, and the
    rejection says whose doing that is."""
    session = begin(arm="faithful", detect="length", words=1, samples=1, **PLAIN)
    samples = list(await generate(session))
    assert {sample.skills for sample in samples} == {("products",)}
    assert [rejection.reason for rejection in session.rejections()] == ["called-right"] * 4


async def test_what_the_teacher_calls_right_is_left_out_where_no_answer_is_known(begin: Sessions) -> None:
    """The paper's detector raises false alarms; its teacher says so and is not heard. The fixed arm
    hears it, unless a verifier knows better."""

    def alarmist(messages: Sequence[Message]) -> str:
        return "[0.1]"

    fixed = begin("fixed", detect="reward", roles={"reward": alarmist}, **PLAIN)
    assert {sample.skills for sample in await generate(fixed)} == {("products",)}
    reasons = [rejection.reason for rejection in fixed.rejections()]
    assert reasons == ["called-right"] * 4
    found = profile_of(fixed)
    assert (found["difficult"], found["labels"]["called_right"]) == (8, 4)
    assert found["detector"]["precision"] == 0.5
    assert found["labels"]["verdicts_right"] == 1.0


FLOW = """flow: stat
models:
  student: {program: "tests.flows.stat_session:student"}
  teacher: {program: "tests.flows.stat_session:teacher"}
  %s
data: {test: {source: tasks}, profile: {source: tasks}, pool: {source: tasks}}
with: {%s}
"""
REWARD = "reward: {model: prm, base_url: 'http://127.0.0.1:9/v1', api: classify}"


@pytest.mark.parametrize(
    ("role", "settings", "said"),
    [
        ("", "detect: reward", "role 'reward', and there is none"),
        (REWARD, "detect: reward, reward_layout: marked", "marked is for api: pooling, not classify"),
        ("embedder: {model: e, base_url: 'http://127.0.0.1:9/v1'}", "arm: fixed", "not asked for chat"),
        ("", "catalogue: nowhere.yaml", "no file nowhere.yaml"),
        ("", "solutions: 1", "1 solutions cannot agree 2 times"),
    ],
)
def test_settings_that_do_not_go_together_are_told_before_the_start(
    tmp_path: Path, role: str, settings: str, said: str
) -> None:
    """A missing role or a wrong API would otherwise show after the models are up."""
    path = tmp_path / "flow.yaml"
    path.write_text(FLOW % (role, settings))
    loaded = load_flow(path, params=lambda name: load_flow_module(name).params)
    problems = check(loaded)
    assert len(problems) == 1
    assert said in str(ConfigError(problems))
    path.write_text(FLOW % (REWARD, "detect: reward"))
    assert check(load_flow(path, params=lambda name: load_flow_module(name).params)) == []
