"""Workers on one machine: throughput with 1, 2 and 4 of them, what merging costs, what leasing costs.

python -m benchmarks.scale [RECORDS]

The flow is the three-call graph; the scripted server answers after 0.1 s and is a process of its own, so
that on two cores the server, the head and the workers share what there is. Wall time depends on
what else the machine does; CPU time does not, and tells what a core would carry.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.server import ROOT, scripted_server
from synth.engine.tuning import run_loop
from synth.records import Seed
from synth.runs.runfiles import open_readonly
from synth.scale.lease import Owner, take
from synth.scale.shards import Shard, StagePlace, pieces
from synth.scale.store import Store

__all__ = ["Leasing", "Throughput", "leasing", "main", "throughput"]

FLOW = """
flow: "tests.scale.flow:build"
generate_only: true
models:
  teacher: {{model: scripted, base_url: "{url}", concurrency: 256}}
curate: {{near: null, overlap: null, format: false}}
with: {{records: {records}, filler: 2000, pairs: false}}
"""


@dataclass(frozen=True)
class Throughput:
    """Of one run: calls a second between its first and last call; CPU milliseconds a call of all workers,
    their start taken off, and of the head, per call."""

    workers: int
    calls: int
    rate: float
    worker_ms: float
    head_ms: float


@dataclass(frozen=True)
class Leasing:
    """Milliseconds for 1,000 records: wall and CPU, of cutting, leasing, marking as done."""

    shard: int
    wall_ms: float
    cpu_ms: float


async def throughput(workers: int, records: int) -> Throughput:
    """A run of `synth run --executor local`, without workers where `workers` is 0."""
    with tempfile.TemporaryDirectory() as place:
        async with scripted_server("--latency", "0.1", "--jitter", "0.5") as url:
            flow = Path(place) / "flow.yaml"
            flow.write_text(FLOW.format(url=url, records=records))
            scale = ("--executor", "local", "--workers", str(workers)) if workers else ()
            head = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "synth.cli.main", "run", str(flow), "--runs", place, "--name", "run"),
                *("--quiet", *scale),
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=asyncio.subprocess.DEVNULL,
            )
            spent = await _watch(head, Path(place) / "run/journal.db")
        calls, first, last = _calls(Path(place) / "run/journal.db")
    own, others = spent
    return Throughput(workers, calls, calls / (last - first), 1000 * others / calls, 1000 * own / calls)


async def _watch(head: asyncio.subprocess.Process, journal: Path) -> tuple[float, float]:
    """CPU seconds of the head and of its workers between the first call and the last look at them."""
    begun: dict[int, float] = {}
    seen: dict[int, float] = {}
    while head.returncode is None:
        working = journal.exists() and _calls(journal)[0] > 0
        for pid in (head.pid, *(child.pid for child in _children(head.pid))):
            try:
                times = psutil.Process(pid).cpu_times()
            except psutil.Error:
                continue
            seen[pid] = times.user + times.system
            if not working:
                begun[pid] = seen[pid]
        await asyncio.sleep(0.1)
    spent = {pid: total - begun.get(pid, 0.0) for pid, total in seen.items()}
    own = spent.pop(head.pid, 0.0)
    return own, sum(spent.values())


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children()
    except psutil.Error:
        return []


def _calls(journal: Path) -> tuple[int, float, float]:
    try:
        connection = open_readonly(journal)
        try:
            row = connection.execute("SELECT COUNT(*), MIN(at), MAX(at) FROM calls").fetchone()
        finally:
            connection.close()
    except sqlite3.Error:
        return 0, 0.0, 0.0
    return int(row[0]), float(row[1] or 0.0), float(row[2] or 0.0)


def leasing(url: str, shard: int, records: int = 20_000) -> Leasing:
    """Cut, lease, read, mark as done and give back shards with nothing done in between."""
    place, owner = StagePlace.of(Store(url), "1/make"), Owner.me("bench")
    seeds = [Seed.of(text=f"{number}: " + "x" * 2000) for number in range(records)]
    wall, cpu = time.perf_counter(), time.process_time()
    for piece in pieces(seeds, shard):
        place.put(
            Shard(piece.name, 0, tuple(at for at, _ in piece.seeds), tuple(seed for _, seed in piece.seeds))
        )
    for title in place.shards():
        finished, leases = place.finished(), place.leases()
        assert title not in finished
        lease = take(place.store, place.folder, title, owner, 30.0, leases)
        assert lease is not None
        mine = place.shard(title)
        lease.renew()
        place.finish(mine, {"seeds": len(mine.seeds)})
        lease.release()
    scale = 1_000_000 / records
    return Leasing(shard, scale * (time.perf_counter() - wall), scale * (time.process_time() - cpu))


async def main(records: int = 3000) -> bool:
    """Print the table."""
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {records} records of three calls, 0.1 s each"
    )
    print("workers   calls/s   CPU ms a call: workers   head")
    for workers in (0, 1, 2, 4):
        found = await throughput(workers, records)
        print(f"{workers:7} {found.rate:9.0f} {found.worker_ms:24.3f} {found.head_ms:6.3f}", flush=True)
    print("\nleasing 1,000 records of 2 KB, in a folder:")
    for shard in (16, 100, 1000):
        with tempfile.TemporaryDirectory() as folder:
            cost = leasing(folder, shard)
        print(f"  shards of {shard:4}: {cost.wall_ms:7.1f} ms, {cost.cpu_ms:7.1f} ms CPU", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(0 if run_loop(main(*map(int, sys.argv[1:]))) else 1)
