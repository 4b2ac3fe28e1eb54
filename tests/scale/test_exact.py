"""Workers and the head killed at random: nothing is lost, and only what was in flight is repeated."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import signal
import sys
from functools import partial
from pathlib import Path

import psutil
import pytest

from synth.errors import RunError
from synth.scale import Scale, head, worker
from synth.scale.worker import work
from tests.scale.runs import ROOT, data, flow_file, in_flight, receipt, run, server, until, workers
from tests.support.request_log import paid_twice, read_log


def ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


async def kill_one(parent: int, store: Path, rng: random.Random) -> int:
    """Kill -9 a worker that has calls in flight; how many of them had no answer on disk."""
    while True:
        busy = [process for process in workers(parent) if in_flight(store, process.pid)]
        if busy:
            chosen = rng.choice(busy)
            chosen.send_signal(signal.SIGKILL)
            await until(partial(ended, chosen))
            return len(in_flight(store, chosen.pid))
        await asyncio.sleep(0.02)


async def test_workers_and_the_head_are_killed_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kill -9 of workers at random moments, then of the head with its workers; the same command goes on
    to exactly the data that one undisturbed process makes, and what was paid twice was in flight."""
    monkeypatch.chdir(ROOT)
    rng = random.Random(7)
    log = tmp_path / "requests.jsonl"
    with server("--latency", "0.15", "--jitter", "0.5", "--log", str(log)) as port:
        flow = flow_file(tmp_path, port, concurrency=32, records=160, drop_every=5)
        calm = await run(flow, "calm")
        before = len(read_log(log))
        store = tmp_path / "torn/scale"
        first = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "synth.cli.main", "run", str(flow), "--runs", str(tmp_path)),
            *("--name", "torn", "--quiet", "--executor", "local", "--workers", "2", "--shard", "24"),
            cwd=ROOT,
        )
        flying = await kill_one(first.pid, store, rng)
        orphans = workers(first.pid)
        first.kill()
        await first.wait()
        await until(lambda: not any(process.is_running() for process in orphans))
        flying += sum(len(in_flight(store, process.pid)) for process in orphans)
        stopped = receipt(tmp_path / "torn")
        assert stopped.lost == 0
        assert stopped.unanswered <= flying

        again = asyncio.create_task(run(flow, "torn", Scale(workers=2, shard=24)))
        await asyncio.sleep(rng.uniform(0.0, 0.4))
        flying += await kill_one(os.getpid(), store, rng)
        torn = await again
        entries = read_log(log)[before:]
    assert data(torn) == data(calm)
    whole = receipt(torn)
    assert (whole.paid, whole.seeds, whole.kept) == (receipt(calm).paid, 240, receipt(calm).kept)
    assert (whole.lost, whole.duplicated, whole.unanswered, whole.failed, whole.shared) == (0, 0, 0, 0, 0)
    assert 0 < whole.repeated <= flying
    assert sum(times - 1 for times in paid_twice(entries, by="key").values()) <= flying
    assert not (store / "stages").exists() or not any((store / "stages").iterdir()), "shards were left"


async def test_a_worker_whose_disk_is_full_leaves_its_shards_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends with what is wrong and how to mend it; what it was answered is not paid again, and the run's
    data are whole."""
    monkeypatch.chdir(ROOT)
    for module in (head, worker):
        monkeypatch.setattr(module, "LOOK", 0.1)
    with server("--latency", "0.02") as port:
        flow = flow_file(tmp_path, port, concurrency=4, records=60, filler=4000, pairs=False)
        alone = await run(flow, "alone")
        store = str(tmp_path / "shared/scale")
        leader = asyncio.create_task(run(flow, "shared", Scale(workers=0, shard=30)))
        full = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "synth.cli.main", "worker", store, "--name", "full"),
            cwd=ROOT,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (250_000, 250_000)),
        )
        _, said = await full.communicate()
        assert full.returncode == RunError.exit_code
        assert b"could not be written" in said
        assert b"free some disk space" in said
        paid = receipt(tmp_path / "shared").paid
        helper = asyncio.create_task(work(store, "other"))
        shared = await leader
        await helper
    assert data(shared) == data(alone)
    whole = receipt(shared)
    assert 0 < paid < whole.paid == 180
    assert (whole.lost, whole.duplicated, whole.unanswered) == (0, 0, 0)
    assert whole.repeated <= 8, "four calls at a time were in flight in each of two shards"
