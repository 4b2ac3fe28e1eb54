"""All quick benchmarks, one table. Each also runs alone: `python -m benchmarks.three_calls`.

`benchmarks.kill` (fifty kills), `benchmarks.memory 1000000 simulated`,
`benchmarks.prefix_cache` (a real vLLM) and `benchmarks.view 100000` take longer and run alone only.
"""

from __future__ import annotations

import sys

from benchmarks import faults, memory, three_calls, throughput
from benchmarks.table import Row, show
from synth.engine.tuning import run_loop

__all__ = ["main"]

QUICK = (three_calls.rows, throughput.rows, faults.rows, memory.rows)


def main() -> int:
    """Run them one after the other, each with an event loop of its own, and print the table."""
    measured: list[Row] = []
    for rows in QUICK:
        print(f"{rows.__module__} …", file=sys.stderr, flush=True)
        measured += run_loop(rows())
    return 0 if show(measured) else 1


if __name__ == "__main__":
    sys.exit(main())
