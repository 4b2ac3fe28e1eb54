"""How much memory a long run holds: peak RSS of a process of its own.

python -m benchmarks.memory 100000              records through the three-call flow
python -m benchmarks.memory 1000000 simulated   records through a graph that makes no call
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from benchmarks.server import ROOT, scripted_server
from benchmarks.table import Row, show
from synth.engine.tuning import run_loop

__all__ = ["rows"]

MOST_MB = {"calls": 200, "simulated": 300}


async def rows(records: int = 10_000, kind: str = "calls") -> list[Row]:
    """Peak RSS, measured in a child process, so that what ran here before does not count."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.memory", "--child", str(records), kind),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await child.communicate()
    start, peak = map(float, said.split())
    named = "through the three-call flow" if kind == "calls" else "simulated"
    what = f"peak RSS of {records:,} records {named}"
    return [
        Row(
            what,
            f"{peak:.0f} MB ({start:.0f} MB at the start)",
            f"< {MOST_MB[kind]} MB",
            peak < MOST_MB[kind],
        )
    ]


async def _child(records: int, kind: str) -> None:
    """Do the work here, and print the peak before and after."""
    from benchmarks.work import flow, peak_rss

    start = peak_rss()
    if kind == "simulated":
        await _simulate(records)
    else:
        async with scripted_server() as base_url:
            cost = await flow(base_url, records, 256)
            assert cost.kept == records
    print(start, peak_rss())


async def _simulate(records: int) -> None:
    """One node a record, no call: what is left is seeds, graph, results and the journal."""
    from langgraph.graph import END, START, StateGraph
    from langgraph.runtime import Runtime

    from synth.engine import Context, run_graph
    from synth.engine.runner import seed_rng
    from synth.engine.tuning import quiet_gc
    from synth.journal import Journal
    from synth.records import Sample, Seed
    from tests.support.graphs import State, seeds

    async def make(state: State, runtime: Runtime[Context]) -> State:
        text = state["seed"].data["text"]
        sample = Sample.sft(
            [{"role": "user", "content": text}],
            text,
            seed_id=state["seed"].id,
            flow="bench",
            arm="fixed",
            round=1,
        )
        return {"samples": [sample]}

    builder = StateGraph(State, context_schema=Context)
    builder.add_node("make", make)
    builder.add_edge(START, "make")
    builder.add_edge("make", END)

    def context(seed: Seed) -> Context:
        return Context("bench", "fixed", 1, "bench", seed.id, {}, None, seed_rng(0, "b", seed.id))

    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.db")
        quiet_gc()
        counts = await run_graph(builder.compile(), seeds(records), context, journal, stage="1/bench")
        assert counts.kept == records
        journal.close()


def main(arguments: list[str]) -> int:
    """Measure, or do the measured work."""
    if arguments[:1] == ["--child"]:
        run_loop(_child(int(arguments[1]), arguments[2]))
        return 0
    records, kind = int(arguments[0]) if arguments else 10_000, arguments[1] if arguments[1:] else "calls"
    return 0 if show(run_loop(rows(records, kind))) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
