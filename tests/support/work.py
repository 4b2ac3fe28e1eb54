"""A process that runs the three-call graph to its end, to be killed by a test.

python -m tests.support.work JOURNAL PORT RECORDS IN_FLIGHT
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from synth.engine import Context, run_graph
from synth.engine.runner import seed_rng
from synth.journal import Journal
from synth.records import Seed
from synth.teachers.http import HttpEndpoint
from synth.teachers.model import Model
from tests.support.graphs import seeds, three_call_graph


async def main(path: str, port: str, records: str, in_flight: str) -> None:
    """Run, printing `started` once work begins."""
    journal = Journal(Path(path))
    endpoint = HttpEndpoint(f"http://127.0.0.1:{port}/v1", concurrency=int(in_flight))
    model = Model("teacher", "scripted", "w1", "scripted", endpoint, journal)

    def context(seed: Seed) -> Context:
        return Context(
            "test", "fixed", 1, "make", seed.id, {"teacher": model}, None, seed_rng(0, "make", seed.id)
        )

    graph = three_call_graph()
    print("started", flush=True)
    await run_graph(graph, seeds(int(records)), context, journal, stage="1/make", window=int(in_flight))
    await endpoint.aclose()
    journal.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
