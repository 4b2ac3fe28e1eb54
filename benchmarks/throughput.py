"""How much of a server's speed a run gets: the three-call flow with each call taking a fixed
time at the server (half as much to one and a half times), against `calls in flight / that
time`, and against bare aiohttp at the same. The start and the last stragglers are left
out.

The client is one process and has one core. N calls in flight of L seconds each leave it L / N
seconds of CPU a call; where bare aiohttp itself falls short of the ideal, the machine does.
"""

from __future__ import annotations

import sys

from benchmarks.server import scripted_server
from benchmarks.table import Row, show
from benchmarks.work import CALLS, bare, flow
from synth.engine.tuning import run_loop

__all__ = ["rows"]

LEAST = 0.95
LOADS = ((256, 1.0), (2000, 1.0), (2000, 4.0))
"""Calls in flight, and seconds each takes."""


async def rows(rounds: int = 12) -> list[Row]:
    """Share of the ideal for each load, each place used `rounds` times."""
    return [await _load(in_flight, latency, rounds) for in_flight, latency in LOADS]


async def _load(in_flight: int, latency: float, rounds: int) -> Row:
    calls = in_flight * rounds
    async with scripted_server("--latency", str(latency), "--jitter", "0.5") as base_url:
        floor = await bare(base_url, calls, in_flight)
        ours = await flow(base_url, calls // CALLS, in_flight)
    ideal = in_flight / latency
    share, best = ours.steady_rate / ideal, floor.steady_rate / ideal
    return Row(
        f"{in_flight:,} in flight of {latency:g} s each, share of the ideal {ideal:,.0f} calls/s",
        f"{share:.1%} (bare aiohttp {best:.1%})",
        f">= {LEAST:.0%}",
        share >= LEAST,
    )


if __name__ == "__main__":
    sys.exit(0 if show(run_loop(rows(*map(int, sys.argv[1:])))) else 1)
