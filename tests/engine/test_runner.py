"""The runner: every seed ends as samples or as a rejection, and a kill loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from langgraph.errors import GraphRecursionError
from langgraph.graph import END, START, StateGraph

from synth.chat import Dropped
from synth.engine import Context, run_graph
from synth.engine.entry import entered
from synth.engine.runner import Result, seed_rng
from synth.errors import EndpointError
from synth.journal import Journal
from synth.records import Seed
from tests.support.graphs import State, seeds
from tests.support.request_log import paid_twice, read_log

ROOT = Path(__file__).parents[2]


def context(seed: Seed) -> Context:
    return Context("test", "fixed", 1, "make", seed.id, {}, None, seed_rng(0, "make", seed.id))


def one_node(node: Any) -> Any:
    builder = StateGraph(State, context_schema=Context)
    builder.add_node("only", node)
    builder.add_edge(START, "only")
    builder.add_edge("only", END)
    return builder.compile()


async def test_a_node_that_fails_costs_its_seed_alone(journal: Journal) -> None:
    """A drop and a crash are kept with reason, node and error; the other seeds go on."""

    async def node(state: State) -> State:
        number = int(state["seed"].id, 16)
        if number == 1:
            raise Dropped("disagreed", "only", "one of three", raw="4 / 5 / 6")
        if number == 2:
            raise ZeroDivisionError("division by zero")
        return {"samples": []}

    counts = await run_graph(one_node(node), seeds(5), context, journal, stage="1/make")
    results = [Result.load(payload) for payload in journal.results("1/make")]
    rejections = {r.seed_id[-1]: r for result in results for r in result.rejections}
    assert counts.seeds == 5
    assert dict(counts.reasons) == {"disagreed": 1, "crashed": 1}
    assert (rejections["1"].raw, rejections["1"].node) == ("4 / 5 / 6", "only")
    assert (rejections["2"].error, rejections["2"].node) == ("ZeroDivisionError", "only")


async def test_a_lost_endpoint_stops_the_stage_and_keeps_what_is_done(journal: Journal) -> None:
    """An error that no further seed can survive is raised once, not recorded for every seed."""

    async def node(state: State) -> State:
        if int(state["seed"].id, 16) == 3:
            raise EndpointError("gone", "start it")
        return {"samples": []}

    with pytest.raises(EndpointError, match="gone"):
        await run_graph(one_node(node), seeds(5), context, journal, stage="1/make", window=1)
    await journal.flush()
    assert len(journal.finished_seeds("1/make")) == 3


async def test_a_finished_seed_is_not_run_again(journal: Journal) -> None:
    """Resuming runs what is missing and counts what was there."""
    ran: list[str] = []

    async def node(state: State) -> State:
        ran.append(state["seed"].id)
        return {"samples": []}

    await run_graph(one_node(node), seeds(3), context, journal, stage="1/make")
    counts = await run_graph(one_node(node), seeds(5), context, journal, stage="1/make")
    assert counts.resumed == 3
    assert len(ran) == len(set(ran)) == 5


async def test_kill_9_loses_nothing_and_repeats_only_calls_in_flight(
    tmp_path: Path,
) -> None:
    """The promise of the journal, with real processes: killed six times, the set of samples is
    that of an undisturbed run, and calls paid twice are at most those in flight at the kills."""
    log = tmp_path / "requests.jsonl"
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.openai_server"),
        *("--latency", "0.02", "--jitter", "0.5", "--log", str(log)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert server.stdout is not None
    port = (await server.stdout.readline()).decode().strip()
    in_flight, kills, rng = 32, 6, random.Random(5)
    try:
        calm = await _work(tmp_path / "calm.db", port, in_flight)
        assert await calm.wait() == 0
        undisturbed = _prompts(tmp_path / "calm.db")
        before = len(read_log(log))
        for _ in range(kills):
            process = await _work(tmp_path / "killed.db", port, in_flight)
            assert process.stdout is not None
            await process.stdout.readline()  # "started": imports are behind it
            await asyncio.sleep(rng.uniform(0.0, 0.4))
            if process.returncode is None:
                os.kill(process.pid, signal.SIGKILL)
            await process.wait()
        last = await _work(tmp_path / "killed.db", port, in_flight)
        assert await last.wait() == 0
    finally:
        server.terminate()
        await server.wait()
    assert _prompts(tmp_path / "killed.db") == undisturbed
    assert len(undisturbed) == 300
    entries = read_log(log)[before:]
    repeated = sum(times - 1 for times in paid_twice(entries, by="key").values())
    assert repeated <= kills * in_flight
    assert len({entry.key for entry in entries}) == 900


async def _work(journal: Path, port: str, in_flight: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.work"),
        *(str(journal), port, "300", str(in_flight)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )


def _prompts(path: Path) -> list[str]:
    journal = Journal(path)
    results = [Result.load(payload) for payload in journal.results("1/make")]
    journal.close()
    samples = [sample for result in results for sample in result.samples]
    assert len({sample.id for sample in samples}) == len(samples)
    return sorted(json.dumps([sample.prompt, sample.completion]) for sample in samples)


def _graph(*edges: tuple[str, str], choice: bool = False) -> Any:
    """Two nodes that each leave their name, joined by `edges` or begun by a choice."""
    builder = StateGraph(State, context_schema=Context)
    for name in ("first", "second"):
        builder.add_node(name, _naming(name))
    for edge in edges:
        builder.add_edge(*edge)
    if choice:
        builder.add_conditional_edges(START, _choose, ["first", "second"])
    return builder.compile()


def _naming(name: str) -> Any:
    async def node(state: State) -> dict[str, str]:
        return {name: f"{name} of {state['seed'].id}"}

    return node


async def _choose(state: State) -> str:
    return "second"


@pytest.mark.parametrize(
    "graph",
    [
        _graph((START, "first"), ("first", "second"), ("second", END)),
        _graph((START, "first"), (START, "second"), ("first", END), ("second", END)),
        _graph(("first", END), ("second", END), choice=True),
        _graph((START, "first"), ("second", "first"), ("first", "second"), ("second", END)),
    ],
    ids=["row", "fork", "choice", "loop"],
)
async def test_a_graph_does_the_same_without_the_step_for_its_start(graph: Any) -> None:
    """Entering at the first nodes is a saving, never another graph."""
    (seed,) = seeds(1)
    config = {"recursion_limit": 9}
    lean, signals = entered(graph)
    plain, saved = [], []
    for runs, steps, begin in ((graph, plain, {}), (lean, saved, signals)):
        with contextlib.suppress(GraphRecursionError):
            async for step in runs.astream(
                {"seed": seed, **begin}, config, context=context(seed), stream_mode="updates"
            ):
                steps.append(step)
    assert saved[:6] == plain[:6] != []
