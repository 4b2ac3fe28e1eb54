"""A worker whose own disk is full, on a real file system that is too small."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from synth.errors import RunError
from synth.scale import Scale, head, journal, worker
from synth.scale.worker import work
from tests.scale.runs import ROOT, data, flow_file, receipt, run, server

CONCURRENCY = 4


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A file system of 600 kB."""
    place = tmp_path / "tiny"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs root and mount")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


async def test_others_go_on_when_a_workers_disk_is_full(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends with one error and its cure; the other's data are those of one process, and what it had put
    into the store is not paid again."""
    monkeypatch.chdir(ROOT)
    for module, name in ((head, "LOOK"), (worker, "LOOK"), (journal, "SHIP_EVERY")):
        monkeypatch.setattr(module, name, 0.05)
    with server("--latency", "0.02") as port:
        flow = flow_file(tmp_path, port, concurrency=CONCURRENCY, records=60, filler=4000, pairs=False)
        alone = await run(flow, "alone")
        store = str(tmp_path / "store")
        leader = asyncio.create_task(run(flow, "shared", Scale(workers=0, shard=30, store=store)))
        full = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "synth.cli.main", "worker", f"{store}/shared", "--name", "full"),
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(tiny)},
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await full.communicate()
        assert full.returncode == RunError.exit_code, said
        assert said.count(b"could not be written") == 1
        assert b"free some disk space" in said
        assert b"Traceback" not in said
        paid = receipt(tmp_path / "shared").paid
        helper = asyncio.create_task(work(f"{store}/shared", "other"))
        shared = await leader
        await helper
    assert data(shared) == data(alone)
    whole = receipt(shared)
    assert 0 < paid < whole.paid == 180
    assert (whole.lost, whole.duplicated, whole.unanswered) == (0, 0, 0)
    assert whole.repeated <= 2 * CONCURRENCY, "in flight, or answered and not yet in the store"
