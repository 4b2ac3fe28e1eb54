"""Budgets: a limit ends a stage at a clean point, keeps everything, and goes on when it is raised."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from synth.config import FlowFile
from synth.engine import FlowParams
from synth.engine.budget import WorkClock
from synth.engine.folder import RunFolder
from synth.engine.session import Session
from synth.errors import BudgetExceeded
from synth.figures import compact, money
from synth.journal import Journal
from synth.progress import make_progress
from synth.rounds.lesson import _follow
from synth.teachers.http import HttpEndpoint
from synth.teachers.model import Model
from tests.support.graphs import seeds, three_call_graph
from tests.support.openai_server import ScriptedServer
from tests.support.request_log import paid_twice

SEEDS = 60


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer(latency=0.002) as running:
        yield running


@asynccontextmanager
async def started(path: Path, server: ScriptedServer, window: int = 8, **flow: Any) -> AsyncIterator[Session]:
    """One start of a run whose teacher is the scripted server."""
    file = FlowFile.model_validate(
        {"flow": "x:y", "models": {"teacher": {"model": "scripted", "base_url": server.base_url}}, **flow}
    )
    folder = RunFolder(path / "run")
    folder.open()
    journal = Journal(folder.journal)
    endpoint = HttpEndpoint(server.base_url, concurrency=6)
    models = {"teacher": Model("teacher", "scripted", "w", "scripted", endpoint, journal)}
    quiet = make_progress(quiet=True)
    try:
        yield Session(file, FlowParams(), folder, journal, models, quiet, path / "flow.yaml", window=window)
    finally:
        await endpoint.aclose()
        journal.close()
        folder.close()


async def make(session: Session) -> int:
    """The stage `make` over all seeds; how many have a result."""
    graph = three_call_graph()
    return len(await session.stage("make", graph, seeds(SEEDS), total=SEEDS))


def spent(session: Session) -> int:
    return sum(session.journal.tokens())


async def test_tokens_end_the_stage_and_more_of_them_end_the_run(
    tmp_path: Path, server: ScriptedServer
) -> None:
    """The stage stops near the limit with every begun seed finished; with a higher limit it goes on
    from there, comes to the same samples as an undisturbed run, and no call is paid twice."""
    async with started(tmp_path / "calm", server) as session:
        assert await make(session) == SEEDS
        whole = spent(session)
        calm = [sample.id for sample in session.samples("make")]
    sent = len(server.log.entries)

    limit = whole // 2
    async with started(tmp_path, server, budget={"tokens": limit}) as session:
        with pytest.raises(BudgetExceeded, match=r"tokens is used up.*\n.*raise budget\.tokens") as caught:
            await make(session)
        assert caught.value.exit_code == 6
        await session.journal.flush()
        assert [row.status for row in session.journal.stages()] == ["stopped"]
        done = len(session.journal.finished_seeds("1/make"))
        assert 0 < done < SEEDS
        assert len(server.log.entries) - sent == 3 * done
        assert limit <= spent(session) <= limit + whole // SEEDS * 2
    async with started(tmp_path, server, budget={"tokens": limit}) as session:
        with pytest.raises(BudgetExceeded):
            await make(session)
        assert len(server.log.entries) - sent == 3 * done
    async with started(tmp_path, server, budget={"tokens": 2 * whole}) as session:
        assert await make(session) == SEEDS
        assert [sample.id for sample in session.samples("make")] == calm
        assert spent(session) == whole
    assert len(server.log.entries) == 2 * sent
    assert not paid_twice(server.log.entries[sent:], by="key")


async def test_money_is_counted_by_the_prices(tmp_path: Path, server: ScriptedServer) -> None:
    """Prompt and completion tokens have prices of their own; a price may be corrected between starts."""
    prices = {"tokens": {"teacher": {"prompt": 1.0, "completion": 10.0}}, "currency": "EUR"}
    async with started(tmp_path, server, prices=prices, budget={"money": 0.01}) as session:
        with pytest.raises(BudgetExceeded, match=r"budget of 0\.010\sEUR is used up: 0\.01\d*\sEUR spent"):
            await make(session)
        prompt, completion = session.journal.tokens()
        assert 0.01e6 <= prompt + 10 * completion <= 0.011e6
    async with started(tmp_path, server, prices=prices, budget={"money": 1.0}) as session:
        assert await make(session) == SEEDS


async def test_a_first_start_never_begins_more_than_its_window_beyond_the_limit(
    tmp_path: Path, server: ScriptedServer
) -> None:
    """While no cost is known, only what is already in flight can pass the limit."""
    async with started(tmp_path, server, budget={"tokens": 1}) as session:
        with pytest.raises(BudgetExceeded):
            await make(session)
        assert len(session.journal.finished_seeds("1/make")) == 8


async def test_a_budget_reached_with_the_last_seed_is_no_reason_to_stop(
    tmp_path: Path, server: ScriptedServer
) -> None:
    """A finished stage is finished; the next one is not begun."""
    async with started(tmp_path, server, window=SEEDS, budget={"tokens": 1}) as session:
        assert await make(session) == SEEDS
        await session.journal.flush()
        assert [row.status for row in session.journal.stages()] == ["done"]
        with pytest.raises(BudgetExceeded):
            await session.stage("next", three_call_graph(), seeds(1))


async def test_hours_are_hours_of_work(journal: Journal) -> None:
    """Time between two starts does not count, time in a stage counts for it and for the run."""
    now = [100.0]
    first = WorkClock(journal, lambda: now[0])
    now[0] += 10
    first.enter("1/make")
    now[0] += 30
    first.leave()
    now[0] += 5
    assert first.seconds == 45
    await journal.flush()
    now[0] = 3.0  # another start, after a restart of the machine
    second = WorkClock(journal, lambda: now[0])
    second.enter("1/make")
    now[0] += 7
    second.leave()
    await journal.flush()
    assert float(journal.meta("worked") or 0) == 47
    assert float(journal.meta("worked:1/make") or 0) == 37


async def test_hours_end_a_stage_too(tmp_path: Path, server: ScriptedServer) -> None:
    """The limit on time is looked at before every seed, like the others."""
    async with started(tmp_path, server, budget={"hours": 0.5}) as session:
        now = [0.0]
        session.clock._clock = lambda: now[0]
        session.clock._last = 0.0

        def a_minute_later(messages: Sequence[Mapping[str, Any]], body: Mapping[str, Any]) -> str:
            now[0] += 60
            return '{"text": "x"}'

        server.reply = a_minute_later
        with pytest.raises(BudgetExceeded, match=r"0\.5 hours of work is used up"):
            await make(session)
        assert 30 <= len(session.journal.finished_seeds("1/make")) <= 30 + 8


async def test_hours_end_a_training_after_its_next_checkpoint(tmp_path: Path, server: ScriptedServer) -> None:
    """What was trained until the checkpoint is kept; without a limit reached nothing is cut off."""
    async with started(tmp_path, server, budget={"hours": 0.5}) as session:
        now = [0.0]
        session.clock._clock = lambda: now[0]
        session.clock._last = 0.0
        trained: list[int] = []
        with (
            pytest.raises(BudgetExceeded, match=r"0\.5 hours of work is used up"),
            session.progress.stage(1, "train") as bar,
        ):
            follow = _follow(session, bar, save_steps=10)
            for step in range(1, 100):
                now[0] += 120
                trained.append(step)
                follow({"step": step, "steps": 99, "loss": 1.0, "tokens": 8 * step})
    assert trained[-1] == 21  # the half hour was over with step 15, the checkpoint is of step 20


async def test_a_stage_says_what_the_run_has_cost_so_far(tmp_path: Path, server: ScriptedServer) -> None:
    """Tokens always, money where there are prices, earlier starts included."""
    prices = {"tokens": {"teacher": {"prompt": 1000.0, "completion": 1000.0}}, "currency": "EUR"}
    async with started(tmp_path, server, prices=prices) as session:
        assert await make(session) == SEEDS
    async with started(tmp_path, server, prices=prices) as session:
        tokens = spent(session)
        assert (
            session.meter.so_far()
            == f"{compact(tokens)} tokens with prompts and {money(tokens / 1000, 'EUR')}"
        )
    async with started(tmp_path, server) as session:
        assert session.meter.so_far() == f"{compact(tokens)} tokens with prompts"
