"""What faults cost in time: the three-call flow with 5 % each of 500, 429 with Retry-After,
connection reset, time-out, truncated JSON, wrong schema and empty reply, and one restart of
the server in the middle, against the same flow without any.

A call takes a second and times out after four. The server has 128 places and makes the rest
wait, tells nothing of its queue, and is away for a second. Concurrency finds its own level.
"""

from __future__ import annotations

import asyncio
import sys

from benchmarks.server import restart_after, server_process
from benchmarks.table import Row, show
from benchmarks.work import Cost, flow
from synth.engine.tuning import run_loop

__all__ = ["rows"]

KINDS = ("500", "429", "reset", "timeout", "truncated", "schema", "empty")
MOST = 1.5
LATENCY, TIMEOUT, AWAY = 1.0, 4.0, 1.0


async def rows(records: int = 1600, concurrency: int | None = None) -> list[Row]:
    """Wall time with faults over wall time without; `concurrency` pins it."""
    calm = await _run(records, concurrency)
    storm = await _run(records, concurrency, ",".join(f"{kind}=0.05" for kind in KINDS), calm.wall / 2)
    ratio = storm.wall / calm.wall
    whole = storm.kept + storm.rejected == records
    return [
        Row("35 % of calls faulty and a restart: wall time", f"{ratio:.2f}x", f"<= {MOST:g}x", ratio <= MOST),
        Row(
            "its records: complete, rejected with their story",
            f"{storm.kept}, {storm.rejected}",
            f"{records} in all",
            whole,
        ),
    ]


async def _run(records: int, concurrency: int | None, faults: str = "", restart: float = 0.0) -> Cost:
    options = ("--latency", str(LATENCY), "--capacity", "128", "--retry-after", "1", "--faults", faults)
    async with server_process(*options) as (base_url, process):
        bounce = asyncio.create_task(restart_after(process, restart, AWAY) if restart else asyncio.sleep(0))
        cost = await flow(base_url, records, concurrency, call_seconds=TIMEOUT)
        await bounce
    return cost


if __name__ == "__main__":
    sys.exit(0 if show(run_loop(rows(*map(int, sys.argv[1:])))) else 1)
