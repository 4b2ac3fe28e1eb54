"""`synth plan` against real HTTP: measured means, arithmetic in words, and no call paid for twice."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from synth.cli.plan_table import plan_tables
from synth.config import Loaded, ModelSpec, Train, load_flow
from synth.engine.folder import RunFolder
from synth.engine.session import Session
from synth.flowfiles import params_of
from synth.flows.answering import exam_graph, question_seeds
from synth.flows.stat import generate
from synth.journal import Journal
from synth.plan import Plan, Rates
from synth.probe import plan_run
from synth.progress import make_progress
from synth.runs.pace import training_pace
from synth.teachers.oracle import solve, task_teacher
from synth.teachers.team import Team
from tests.support.openai_server import ScriptedServer
from tests.support.request_log import paid_twice

FAMILIES = ["addition", "matrix_spiral"]
TASKS = {"source": "tasks", "families": FAMILIES}


def both(messages: Sequence[Mapping[str, Any]], body: Mapping[str, Any]) -> str | list[str]:
    """A student that adds without fault and knows no spiral; a teacher that knows everything."""
    if body["model"] == "teacher":
        return [task_teacher(messages, body.get("seed") or 0)] * (body.get("n") or 1)  # type: ignore[arg-type]
    family, answer = solve(messages[-1]["content"])
    return f"The answer is {answer}." if family == "addition" else "I do not know."


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer(both, models=("student", "teacher"), latency=0.002) as running:
        yield running


def flow(path: Path, base_url: str, **more: Any) -> Loaded:
    """A flow file whose two roles are endpoints."""
    written = {
        "flow": "stat",
        "models": {role: {"model": role, "base_url": base_url} for role in ("student", "teacher")},
        "data": {
            "test": {**TASKS, "size": 20, "seed": 1},
            "profile": {**TASKS, "size": 12, "seed": 2},
            "pool": {**TASKS, "size": 30, "seed": 3},
        },
        "with": {"draws": 2, "examples": 60},
        "prices": {"tokens": {"teacher": {"prompt": 1.0, "completion": 2.0}}},
        **more,
    }
    file = path / "flow.yaml"
    file.write_text(yaml.safe_dump(written))
    return load_flow(file, params=params_of)


async def planned(path: Path, server: ScriptedServer, probe: int, **more: Any) -> Plan:
    return await plan_run(
        flow(path, server.base_url, **more), RunFolder(path / "run"), probe, make_progress(quiet=True)
    )


async def test_a_probe_finds_what_the_run_will_take(tmp_path: Path, server: ScriptedServer) -> None:
    """Half the profile is failed for one skill; so many labels, drafts and solutions follow."""
    plan = await planned(tmp_path, server, 8)
    rows = {(stage.name, agent.agent): agent for stage in plan.stages for agent in stage.agents}
    calls = {place: row.calls for place, row in rows.items()}
    assert calls == {
        ("exam-before", "answer"): 40,
        ("profile", "answer"): 24,
        ("profile", "label"): 36,
        ("make", "propose"): 24,
        ("make", "solve"): 72,
        ("exam-after", "answer"): 40,
    }
    assert rows["profile", "label"].why == (
        "24 profile questions x 50% failed (4 of 8 in the probe) x 3 votes"
    )
    assert rows["make", "propose"].why == "12 failed x 1 skills x 2 draws = 24"
    assert plan.calls == 236
    assert all(row.measured for row in rows.values())
    teacher = [row for row in rows.values() if row.role == "teacher"]
    paid = sum(row.prompt_tokens + 2 * row.completion_tokens for row in teacher) / 1e6
    assert plan.money == pytest.approx(paid)
    assert plan.seconds_least and plan.seconds_most
    assert plan.seconds_least < plan.seconds_most


async def test_the_plan_comes_true_and_the_probe_is_not_paid_for_again(
    tmp_path: Path, server: ScriptedServer
) -> None:
    """The run's exam and generation make the calls foretold, and take the probe's from the journal."""
    plan = await planned(tmp_path, server, 8)
    probed = len(server.log.entries)
    assert 0 < probed < 80
    loaded = flow(tmp_path, server.base_url)
    folder = RunFolder(tmp_path / "run")
    assert not folder.flow.exists()
    folder.open()
    journal = Journal(folder.journal)
    quiet = make_progress(quiet=True)
    team = Team(loaded.flow.models, journal, folder.path, learners={}, folders={}, say=quiet.log)
    await team.start()
    try:
        session = Session(loaded.flow, loaded.params, folder, journal, team.models, quiet, loaded.path)  # type: ignore[arg-type]
        assert session.journal.stages() == []
        test = session.questions("test")
        await session.stage("exam-before", exam_graph(loaded.flow.evaluate), question_seeds(test))
        assert len(list(await generate(session))) > 0
        prompt, completion = journal.tokens()
    finally:
        await team.aclose()
        journal.close()
        folder.close()
    assert not paid_twice(server.log.entries, by="key")
    foretold = sum(
        agent.prompt_tokens + agent.completion_tokens
        for stage in plan.stages
        if stage.name != "exam-after"
        for agent in stage.agents
    )
    # The probe's own drafts are paid on top: they start from other draws than the run's.
    assert foretold * 0.9 < prompt + completion < foretold * 1.3


async def test_without_a_probe_nobody_is_asked_and_the_plan_is_an_upper_bound(
    tmp_path: Path, server: ScriptedServer
) -> None:
    """Arithmetic alone: all fail, every answer as long as allowed; no server, no run folder."""
    bound = await planned(tmp_path, server, 0)
    assert server.log.entries == []
    assert not (tmp_path / "run").exists()
    assert bound.seconds_most is None
    labels = bound.stages[1].agents[1]
    assert (labels.calls, labels.completion_tokens) == (72, 72 * 1024)
    measured = await planned(tmp_path, server, 8)
    assert bound.calls >= measured.calls
    assert bound.tokens > measured.tokens


async def test_a_curriculum_is_paid_for_in_every_round(tmp_path: Path, server: ScriptedServer) -> None:
    """Several answers to every question that it asks, before the data are made."""
    plain = await planned(tmp_path, server, 0)
    plan = await planned(tmp_path, server, 0, curriculum={"samples": 3}, rounds=2)
    assert plan.calls == 2 * plain.calls - 40 + 2 * 3 * 24
    assert [stage.name for stage in plan.stages][:3] == ["exam-before", "curriculum", "profile"]


async def test_later_rounds_do_not_pay_for_the_first_exam_again(
    tmp_path: Path, server: ScriptedServer
) -> None:
    """Before round 2 the champion's answers are known from round 1, whoever the champion is."""
    one, three = [await planned(tmp_path, server, 0, rounds=rounds) for rounds in (1, 3)]
    assert three.calls == 3 * one.calls - 2 * 40
    assert three.train_tokens == 3 * one.train_tokens


async def test_the_plan_reads_well_and_as_json(tmp_path: Path, server: ScriptedServer) -> None:
    """The terminal shows the arithmetic in words; a program reads the same back."""
    plan = await planned(tmp_path, server, 4, budget={"train_tokens": 100}, train={"epochs": 2.0})
    said = "\n".join(str(part) for part in plan_tables(plan))
    labels = "profile, label: 36 calls = 24 profile questions x 50% failed (2 of 4 in the probe) x 3 votes"
    assert labels in said
    assert "train: 100 tokens of data (at most 100) x 2 epochs" in said
    assert "Measured on 4 seeds a stage." in said
    assert Plan.model_validate(json.loads(plan.model_dump_json())) == plan


def test_training_is_timed_by_alike_trainings_alone(tmp_path: Path) -> None:
    """Another model's pace, or one with other settings, is no measurement of this one."""
    train = Train(batch_size=4)

    def trained(name: str, model: str, settings: Train, tokens: int, seconds: float) -> None:
        folder = tmp_path / name / "rounds" / "1" / "train"
        folder.mkdir(parents=True)
        job = {"name": model, "train": settings.model_dump(mode="json")}
        (folder / "job.json").write_text(json.dumps(job))
        (folder / "result.json").write_text(json.dumps({"tokens": tokens, "seconds": seconds}))

    assert training_pace(tmp_path, "small", train) is None
    trained("a", "small", train.model_copy(update={"learning_rate": 1.0, "seed": 7}), 1000, 10.0)
    trained("b", "small", train, 2000, 5.0)
    trained("c", "large", train, 10, 10.0)
    trained("d", "small", Train(batch_size=8), 10, 10.0)
    (tmp_path / "a" / "rounds" / "2" / "train").mkdir(parents=True)
    (tmp_path / "a" / "rounds" / "2" / "train" / "result.json").write_text("{")
    assert training_pace(tmp_path, "small", train) == 200.0


async def test_stated_rates_give_the_hours(tmp_path: Path, server: ScriptedServer) -> None:
    """Tokens over tokens a second, a role's servers together: all roles at once at best, in turn at worst."""
    rates = Rates({"": 10.0, "student": 40.0}, trained=5.0)
    plain = await planned(tmp_path, server, 0)
    quiet = make_progress(quiet=True)
    plan = await plan_run(flow(tmp_path, server.base_url), RunFolder(tmp_path / "run"), 0, quiet, rates)
    assert plain.seconds_most is None and not plain.stated and plan.stated
    made: dict[str, float] = {}
    for stage in plan.stages:
        for agent in stage.agents:
            made[agent.role] = made.get(agent.role, 0.0) + stage.rounds * agent.completion_tokens
    rate = {"student": 40.0}
    assert plan.seconds_most == pytest.approx(sum(n / rate.get(role, 10.0) for role, n in made.items()))
    assert plan.seconds_least is not None and plan.seconds_least <= plan.seconds_most
    assert plan.train_seconds == pytest.approx(plan.train_tokens / 5.0)
    assert "at the stated rates" in "".join(str(part) for part in plan_tables(plan))
    many = ModelSpec(model="m", base_url=("http://a/v1", "http://b/v1"))
    assert Rates({"": 3.0}).of("any", many) == 6.0 and Rates().of("any", many) is None
