"""Stages by workers, in one process: the same data as without, faults and budgets as without."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from synth.errors import BudgetExceeded, RunError, SynthError
from synth.runs.audit import audit
from synth.scale import Scale, head, worker
from synth.scale.bulletin import report
from synth.scale.executor import LocalExecutor
from synth.scale.store import Store
from synth.scale.worker import work
from tests.scale.runs import ROOT, data, flow_file, receipt, run
from tests.support.openai_server import ScriptedServer
from tests.support.replies import default_reply

SCALE = Scale(workers=0, shard=8, lease_seconds=20.0)


class Teacher(ScriptedServer):
    """Answers by hash; refuses for good what `refuses` says."""

    def __init__(self, **options: Any) -> None:
        self.refuses: set[str] = set()

        def reply(messages: Sequence[Mapping[str, Any]], body: Mapping[str, Any]) -> str:
            said = str(messages[-1]["content"])
            if any(said.startswith(start) for start in self.refuses):
                raise ValueError("refused")
            return default_reply(body, 0, True)

        super().__init__(reply, **options)


@pytest.fixture
async def teacher(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Teacher]:
    monkeypatch.chdir(ROOT)
    for module in (head, worker):
        monkeypatch.setattr(module, "LOOK", 0.05)
    async with Teacher(latency=0.005) as running:
        yield running


async def with_workers(flow: Path, name: str, *overrides: str, scale: Scale = SCALE, count: int = 2) -> Path:
    """The run with workers that were started by hand, here; all of them go home at its end."""
    store = scale.store or str(flow.parent / name / "scale")
    url = f"{store}/{name}" if scale.store else store
    helpers = [asyncio.create_task(work(url, f"hand-{number}")) for number in range(count)]
    try:
        folder = await run(flow, name, scale, *overrides)
        await asyncio.wait_for(asyncio.gather(*helpers), 10)
        return folder
    finally:
        for helper in helpers:
            helper.cancel()
        await asyncio.gather(*helpers, return_exceptions=True)


async def test_the_same_data_as_one_process_makes(teacher: Teacher, tmp_path: Path) -> None:
    """Samples with their lineage, in order, byte for byte; and a second stage made of the first one's."""
    flow = flow_file(tmp_path, teacher.port, records=60, drop_every=4)
    alone, shared = await run(flow, "alone"), await with_workers(flow, "shared")
    assert data(shared) == data(alone)
    one, many = audit(alone), receipt(shared)
    assert (many.sent, many.paid, many.seeds, many.kept, many.rejected) == (
        *(one.sent, one.paid, one.seeds, one.kept, one.rejected),
    )
    assert many.rejected > 0
    assert (many.repeated, many.replayed, many.lost, many.shared) == (0, 0, 0, 0)


async def test_a_run_begun_with_workers_goes_on_without_them(teacher: Teacher, tmp_path: Path) -> None:
    """What workers did for a run that was stopped is not paid again, whoever goes on with it."""
    flow = flow_file(tmp_path, teacher.port, concurrency=2, records=60)
    with pytest.raises(BudgetExceeded):
        await with_workers(flow, "run", "budget.tokens=1500")
    assert 0 < receipt(tmp_path / "run").paid < 180
    folder = await run(flow, "run", None)
    assert data(folder) == data(await run(flow, "alone"))
    whole = receipt(folder)
    assert (whole.paid, whole.repeated, whole.unanswered) == (210, 0, 0)


async def test_a_budget_stops_workers_cleanly(teacher: Teacher, tmp_path: Path) -> None:
    """What is in flight is finished, nothing is cut off, and a larger budget goes on from there."""
    flow = flow_file(tmp_path, teacher.port, concurrency=2, records=60)
    with pytest.raises(BudgetExceeded):
        await with_workers(flow, "run", "budget.tokens=1500")
    stopped = receipt(tmp_path / "run")
    assert stopped.sent == stopped.paid < 180
    folder = await with_workers(flow, "run", "budget.tokens=1500000")
    assert receipt(folder).sent == receipt(folder).paid == 210


async def test_records_that_failed_get_another_chance(teacher: Teacher, tmp_path: Path) -> None:
    """As in one process: a stage that failed is begun again, and only failed records are made anew."""
    flow = flow_file(tmp_path, teacher.port, records=40, pairs=False)
    teacher.refuses = {"3: ", "17: "}
    with pytest.raises(SynthError):
        await with_workers(flow, "run", "on_error=stop")
    before = receipt(tmp_path / "run")
    assert before.failed > 0
    teacher.refuses = set()
    folder = await with_workers(flow, "run", "on_error=stop")
    after = receipt(folder)
    assert data(folder) == data(await run(flow, "alone"))
    assert (after.paid, after.kept, after.lost, after.unanswered) == (120, 40, 0, 0)
    assert after.repeated <= before.unanswered


async def test_a_store_of_another_run_is_refused(teacher: Teacher, tmp_path: Path) -> None:
    """Shards of other settings are never merged; --fresh clears them away."""
    flow = flow_file(tmp_path, teacher.port, records=8, pairs=False)
    scale = Scale(workers=0, store=str(tmp_path / "store"), lease_seconds=20.0)
    await with_workers(flow, "run", scale=scale)
    (tmp_path / "run").rename(tmp_path / "other")
    with pytest.raises(RunError, match="holds the shards of another run"):
        await run(flow, "run", scale)
    helper = asyncio.create_task(work(str(tmp_path / "store/run"), "hand"))
    await run(flow, "run", scale, fresh=True)
    await asyncio.wait_for(helper, 10)


async def test_what_the_last_worker_failed_with_ends_the_run(teacher: Teacher, tmp_path: Path) -> None:
    """A worker that cannot go on says why, and once none is left the run ends with that, resumably."""
    flow = flow_file(tmp_path, teacher.port, records=8, pairs=False)

    class One(LocalExecutor):
        """A worker whose flow cannot be loaded."""

        def start(self, store: str, logs: Path, say: Callable[[str], None]) -> None:
            report(Store(store), "worker-0", "failed", RunError("the disk of worker-0 is full", "free some"))

        def look(self, finished: int) -> int | None:
            return 0

    with pytest.MonkeyPatch.context() as patch, pytest.raises(RunError, match="the disk of worker-0 is full"):
        patch.setattr(Scale, "crew", lambda scale: One(1))
        await run(flow, "run", SCALE)
    assert receipt(await with_workers(flow, "run")).paid == 24
