"""What a call costs the client: a three-call LangGraph flow through the whole engine, against
a bare aiohttp loop that sends the same bodies and does nothing with the replies, and against
the openai package.

All included on our side: graph, template, request, parse, journal, lineage, result rows.
"""

from __future__ import annotations

import sys

from benchmarks.server import scripted_server
from benchmarks.table import Row, show
from benchmarks.work import CALLS, Cost, bare, flow, sdk
from synth.engine.tuning import run_loop

__all__ = ["rows"]

MOST_MS = 1.0


async def rows(records: int = 2000, concurrency: int = 256) -> list[Row]:
    """CPU a call of the three, in one run against one server."""
    async with scripted_server("--latency", "0.05") as base_url:
        floor = await bare(base_url, CALLS * records, concurrency)
        package = await sdk(base_url, CALLS * records // 10, concurrency)
        ours = await flow(base_url, records, concurrency)
    return [
        Row("bare aiohttp loop, CPU a call", _of(floor)),
        Row(
            "three-call flow, all included, CPU a call",
            f"{_of(ours)}, {ours.cpu / ours.calls * floor.calls / floor.cpu:.1f}x bare",
            f"<= {MOST_MS:g} ms",
            ours.cpu_ms <= MOST_MS,
        ),
        Row(
            "openai package alone, CPU a call",
            f"{_of(package)}, {package.cpu_ms / floor.cpu_ms:.1f}x bare",
        ),
    ]


def _of(cost: Cost) -> str:
    return f"{cost.cpu_ms:.2f} ms"


if __name__ == "__main__":
    sys.exit(0 if show(run_loop(rows(*map(int, sys.argv[1:])))) else 1)
