"""Runs with workers, looked at from outside: who works, what is in flight, what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import psutil

from synth.api import execute
from synth.flowfiles import load
from synth.progress import make_progress
from synth.runs.audit import Audit, audit
from synth.scale import Scale
from synth.scale.merge import whole

ROOT = Path(__file__).parents[2]
FLOW = """
flow: "tests.scale.flow:build"
generate_only: true
models:
  teacher: {{model: scripted, base_url: "http://127.0.0.1:{port}/v1", concurrency: {concurrency}}}
curate: {{near: null, overlap: null, format: false}}
with: {params}
"""


@contextmanager
def server(*options: str) -> Iterator[int]:
    """Port of a scripted teacher in a process of its own."""
    command = [sys.executable, "-m", "tests.support.openai_server", *options]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()


def flow_file(place: Path, port: int, concurrency: int = 32, **params: Any) -> Path:
    path = place / "flow.yaml"
    path.write_text(FLOW.format(port=port, concurrency=concurrency, params=orjson.dumps(params).decode()))
    return path


async def run(flow: Path, name: str, scale: Scale | None = None, *overrides: str, **options: Any) -> Path:
    """The flow run to its end; the run's folder."""
    folder = flow.parent / name
    with make_progress(quiet=True) as progress:
        await execute(load(flow, overrides, None), folder, progress, scale=scale, **options)
    return folder


def data(folder: Path) -> bytes:
    """All samples with their lineage, as they stand in the run's data."""
    return (folder / "rounds/1/data/samples.jsonl").read_bytes()


def receipt(folder: Path) -> Audit:
    """The audit over the run's journal and all shards'."""
    with whole(folder) as journal:
        return audit(folder, journal)


def workers(parent: int) -> list[psutil.Process]:
    """Processes of `synth worker` that a process has started."""
    found = []
    for process in psutil.Process(parent).children():
        try:
            if "worker" in process.cmdline():
                found.append(process)
        except psutil.Error:
            continue
    return found


def in_flight(store: Path, pid: int) -> set[bytes]:
    """Calls that a worker, now dead, had announced and that have no answer on disk."""
    keys: set[bytes] = set()
    for lease in store.glob("stages/*/leases/*"):
        title, _, generation = lease.name.rpartition(".")
        name = title.rpartition(".")[0]
        if lease.name.endswith(".part") or orjson.loads(lease.read_bytes())["owner"]["pid"] != pid:
            continue
        path = lease.parents[1] / "journals" / f"{name}.db"
        query = (
            "SELECT DISTINCT key FROM sends WHERE session LIKE ? AND key NOT IN (SELECT key FROM calls)"
            " AND key NOT IN (SELECT key FROM failures)"
        )
        with contextlib.suppress(sqlite3.OperationalError):  # it is about to be made
            connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
            keys |= {key for (key,) in connection.execute(query, (f"%.{name}.{int(generation)}",))}
            connection.close()
    return keys


async def until(what: Any, seconds: float = 60.0) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(seconds):
        while not what():  # noqa: ASYNC110 (processes and files set no event)
            await asyncio.sleep(0.02)
