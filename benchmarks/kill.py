"""Fifty kills: a flow of 1,000 records and three calls each, 256 calls in flight, `kill -9` at
random moments, and a last start that finishes it; held against an undisturbed run.

The server answers each call after 0.5 to 1.5 s and keeps its own log of requests. A call was
*in flight* at a kill if the server had got it and its answer was not on disk. Nothing but
these may be paid twice.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.server import ROOT, scripted_server
from synth.engine import Result
from synth.engine.tuning import run_loop
from synth.journal import Journal
from synth.runs.audit import audit
from synth.runs.runfiles import open_readonly
from tests.support.request_log import paid_twice, read_log

__all__ = ["Outcome", "killed", "main"]

STAGE = "1/make"
LATENCY = 1.0


@dataclass(frozen=True)
class Outcome:
    """What fifty kills cost. `paid_twice` is the server's count, `sent_again` the journal's."""

    kills: int
    in_flight: int
    paid_twice: int
    sent_again: int
    lost: int
    duplicated: int
    same_set: bool

    @property
    def sound(self) -> bool:
        """Whether the journal's promise held."""
        clean = self.lost == self.duplicated == 0 and self.same_set
        return clean and self.paid_twice <= self.in_flight


async def killed(records: int, concurrency: int, kills: int, seed: int = 0) -> Outcome:
    """Run the flow once undisturbed and once with `kills` kills, against one server."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as place:
        calm, torn, log = Path(place) / "calm", Path(place) / "torn", Path(place) / "requests.jsonl"
        options = ("--latency", str(LATENCY), "--jitter", "0.5", "--log", str(log))
        async with scripted_server(*options) as base_url:
            work = (base_url.split(":")[-1].partition("/")[0], str(records), str(concurrency))
            await _until_done(calm, *work)
            before = len(read_log(log))
            in_flight = 0
            for _ in range(kills):
                started = time.time()
                await _until_killed(torn, rng.uniform(0, 1.1 * LATENCY), *work)
                got = {entry.key for entry in read_log(log)[before:] if entry.at >= started}
                in_flight += len(got - _answered(torn))
            await _until_done(torn, *work)
            entries = read_log(log)[before:]
        kept = _samples(torn)
        receipt = audit(torn)
        return Outcome(
            kills=kills,
            in_flight=in_flight,
            paid_twice=sum(times - 1 for times in paid_twice(entries, by="key").values()),
            sent_again=receipt.repeated,
            lost=records - len(set(kept)),
            duplicated=len(kept) - len(set(kept)),
            same_set=set(kept) == set(_samples(calm)),
        )


async def _start(folder: Path, *work: str) -> asyncio.subprocess.Process:
    """A process that works on the run in `folder`; returns once its work begins."""
    folder.mkdir(exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.work", str(folder / "journal.db"), *work),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    await process.stdout.readline()
    return process


async def _until_done(folder: Path, *work: str) -> None:
    process = await _start(folder, *work)
    if await process.wait() != 0:
        raise SystemExit(f"the work in {folder} failed")


async def _until_killed(folder: Path, seconds: float, *work: str) -> None:
    process = await _start(folder, *work)
    await asyncio.sleep(seconds)
    if process.returncode is not None:
        raise SystemExit("the run was done before its last kill; give it more records")
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    await asyncio.sleep(0.2)  # the server notes the connections that broke


def _answered(folder: Path) -> set[str]:
    """Keys of the calls whose answers are on disk."""
    connection = open_readonly(folder / "journal.db")
    try:
        return {key.hex() for (key,) in connection.execute("SELECT key FROM calls")}
    finally:
        connection.close()


def _samples(folder: Path) -> list[str]:
    """Ids of all samples, which are hashes of their content."""
    journal = Journal(folder / "journal.db")
    results = [Result.load(payload) for payload in journal.results(STAGE)]
    journal.close()
    return [sample.id for result in results for sample in result.samples]


async def main(records: int = 1000, concurrency: int = 256, kills: int = 50) -> bool:
    """Print what the kills cost; returns whether nothing was lost."""
    outcome = await killed(records, concurrency, kills)
    print(f"{outcome.kills} kills of a {records}-record flow of three calls, {concurrency} in flight")
    print(f"calls in flight at the kills   {outcome.in_flight:6,}   as the server saw them")
    print(f"calls paid twice               {outcome.paid_twice:6,}   by the server's log")
    print(f"calls sent again               {outcome.sent_again:6,}   by the journal")
    print(f"records lost, duplicated       {outcome.lost:6,}, {outcome.duplicated}")
    print(f"same set as undisturbed        {'yes' if outcome.same_set else 'NO':>6}")
    return outcome.sound


if __name__ == "__main__":
    sys.exit(0 if run_loop(main(*map(int, sys.argv[1:]))) else 1)
