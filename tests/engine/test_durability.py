"""What can happen to a run besides `kill -9`: a second process, a clock that jumps, a copied
folder, a torn journal, a full disk, an interrupt. Real files, real processes."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from synth.engine import Context, run_graph
from synth.engine.folder import RunFolder
from synth.engine.runner import Result, seed_rng
from synth.errors import RunError
from synth.journal import CallRow, Journal
from synth.records import Seed
from synth.runs.audit import audit
from synth.runs.runfiles import read_journal
from synth.teachers.model import Model
from synth.teachers.program import ProgramEndpoint
from tests.engine.conftest import student_server
from tests.support.graphs import seeds, three_call_graph
from tests.support.recorded import FLOW, synth, with_stand_ins

ROOT = Path(__file__).parents[2]
HOLDER = """
import sys; from pathlib import Path; from synth.engine.folder import RunFolder
RunFolder(Path(sys.argv[1])).open(); print("held", flush=True); sys.stdin.read()
"""


def call(number: int, size: int = 10) -> CallRow:
    key = number.to_bytes(16, "big")
    return CallRow(key, "1/make", "solve", "teacher", "m", "w", b"{}", b"x" * size, 1, 1, 0.1)


async def three_calls(journal: Journal, records: int) -> list[str]:
    """Run the three-call graph with a program for a teacher; the samples' ids."""
    teacher = Model("teacher", "m", "w", "m", ProgramEndpoint(say), journal)

    def context(seed: Seed) -> Context:
        rng = seed_rng(0, "m", seed.id)
        return Context("test", "fixed", 1, "make", seed.id, {"teacher": teacher}, None, rng)

    await run_graph(three_call_graph(), seeds(records), context, journal, stage="1/make", window=16)
    results = [Result.load(payload) for payload in journal.results("1/make")]
    return [sample.id for result in results for sample in result.samples]


def say(messages: list[dict[str, str]]) -> str:
    return json.dumps({"text": messages[-1]["content"][::-1]})


def test_a_second_process_is_refused_and_the_dead_hold_nothing(tmp_path: Path) -> None:
    """Two processes never share a run; what `kill -9` leaves of a lock stops nobody."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "run")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(RunError, match=f"is being worked on by process {holder.pid} on "):
        folder.open()
    holder.kill()
    holder.communicate()
    folder.open()
    assert f"process {os.getpid()} " in (tmp_path / "run/run.lock").read_text()
    folder.close()


async def test_two_journals_on_one_file_lose_nothing(tmp_path: Path) -> None:
    """Should two processes write all the same (a lock that a file system does not keep), both get through."""
    one, two = Journal(tmp_path / "journal.db"), Journal(tmp_path / "journal.db")
    await asyncio.gather(*(journal.record(call(n)) for n in range(300) for journal in (one, two)))
    one.close()
    two.close()
    assert _count(tmp_path / "journal.db", "calls") == 300


async def test_a_clock_that_jumps_back_changes_no_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stages stay in the order they began in, none lasts less than nothing, and the run goes on."""
    clock = iter(range(2_000_000_000, 0, -1000))
    monkeypatch.setattr("synth.journal.time.time", lambda: float(next(clock)))
    journal = Journal(tmp_path / "journal.db")
    for name in ("exam-before", "profile", "make"):
        journal.set_stage(1, name, "running", {})
        await journal.flush()
        journal.set_stage(1, name, "done", {})
    await journal.flush()
    ids = await three_calls(journal, 20)
    stages = journal.stages()
    journal.close()
    view = read_journal(tmp_path / "journal.db")
    for rows in (stages, view.stages):
        assert [row.name for row in rows] == ["exam-before", "profile", "make"]
        assert all(row.finished == row.started for row in rows)
    assert len(set(ids)) == 20
    receipt = audit(tmp_path)
    assert (receipt.sent, receipt.paid, receipt.repeated, receipt.unanswered) == (60, 60, 0, 0)


async def test_a_journal_torn_anywhere_goes_on_to_the_same_set(tmp_path: Path) -> None:
    """Power lost in the middle of a write, at six places: what is gone is made again, no more."""
    journal = Journal(tmp_path / "journal.db")
    whole = await three_calls(journal, 30)
    wal = (tmp_path / "journal.db-wal").read_bytes()
    base = (tmp_path / "journal.db").read_bytes()
    journal.close()
    for part in range(1, 7):
        torn = tmp_path / f"torn-{part}"
        torn.mkdir()
        end = len(wal) * part // 7
        (torn / "journal.db").write_bytes(base)
        (torn / "journal.db-wal").write_bytes(wal[:end] + os.urandom(700))
        again = Journal(torn / "journal.db")
        assert await three_calls(again, 30) == whole
        again.close()
        receipt = audit(torn)
        assert (receipt.paid, receipt.seeds, receipt.lost) == (90, 30, 0)


def test_a_copied_run_goes_on_by_itself(
    server: int, recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copied lock blocks nobody, and nothing in the copy points back to the original: with that
    out of reach, the copy finds its training done, answers its last exam and writes its own files."""
    place = tmp_path / "elsewhere"
    held = RunFolder(recorded)
    held.open()
    shutil.copytree(recorded, place / "flow")
    journal = Journal(place / "flow/journal.db")
    unasked = "key IN (SELECT key FROM calls WHERE stage = '1/exam-after')"
    journal._enqueue(f"DELETE FROM sends WHERE {unasked}", ())
    journal._enqueue(f"DELETE FROM calls WHERE {unasked}", ())
    journal._enqueue("DELETE FROM results WHERE stage = '1/exam-after'", ())
    journal._enqueue("DELETE FROM stages WHERE name IN ('exam-after', 'gate')", ())
    journal.close()
    (place / "flow/rounds/1/gate.json").unlink()
    away = recorded.with_name("away")
    recorded.rename(away)
    try:
        # The base weights stay where they were, as a model in the cache would.
        with with_stand_ins(server, recorded.parent / "weights") as trained:
            flow = recorded.parent / "flow.yaml"
            assert synth("run", flow, "--runs", place, "--quiet") == 0
    finally:
        away.rename(recorded)
        held.close()
    assert trained == []
    original, copy = audit(recorded), audit(place / "flow")
    assert (copy.paid, copy.repeated) == (original.paid, 0)
    assert (place / "flow/rounds/1/gate.json").read_bytes() == (recorded / "rounds/1/gate.json").read_bytes()


async def test_a_full_disk_leaves_nobody_waiting(tmp_path: Path) -> None:
    """Of many calls under way each is told of the failure, those queued behind it too; none hangs."""
    journal = Journal(tmp_path / "journal.db")
    await journal.record(call(0))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # writes beyond it fail, as on a full disk
    try:
        tasks = [asyncio.create_task(journal.record(call(n, 20_000))) for n in range(1, 300)]
        done, waiting = await asyncio.wait(tasks, timeout=300)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not waiting
    assert all(isinstance(task.exception(), RunError) for task in done if task.exception())
    assert any(task.exception() for task in done)
    with pytest.raises(RunError, match="free some disk space"):
        await journal.flush()
    journal.close()
    stored = sum(task.exception() is None for task in done)
    assert _count(tmp_path / "journal.db", "calls") == stored + 1


def test_an_interrupt_stops_cleanly_and_the_same_command_goes_on(tmp_path: Path) -> None:
    """Ctrl-C ends with 130 and the state `stopped`; then the run comes to its end with every
    record there, and no more calls are sent again than were in flight."""
    (tmp_path / "flow.yaml").write_text(FLOW)
    log = tmp_path / "requests.jsonl"
    with student_server("--latency", "0.1", "--log", str(log)) as port:
        with _started(port, tmp_path) as first:
            _until(lambda: log.exists() and len(log.read_bytes().splitlines()) >= 4, first)
            assert _stopped(first, signal.SIGINT, tmp_path) == 130
        with _started(port, tmp_path) as last:
            _, said = last.communicate(timeout=300)
    assert last.returncode == 0, said
    assert read_journal(tmp_path / "flow/journal.db").meta["state"] == "finished"
    receipt = audit(tmp_path / "flow")
    assert receipt.starts == 2
    assert receipt.repeated <= 2, "two calls were in flight"
    assert (receipt.unanswered, receipt.failed, receipt.lost, receipt.duplicated) == (0, 0, 0, 0)
    assert receipt.seeds == 20 + 6 + 20 + _count(
        tmp_path / "flow/journal.db", "results", "stage IN ('1/make', '1/replay')"
    )


def test_a_stop_does_not_wait_for_a_download(tmp_path: Path) -> None:
    """A model that is being fetched for hours holds up neither SIGTERM nor Ctrl-C."""
    (tmp_path / "flow.yaml").write_text(FLOW)
    code = (
        "import sys, threading; from synth.rounds import prepare; from synth.cli.main import main\n"
        "def resolve(name, progress): print('fetching', flush=True); threading.Event().wait()\n"
        "prepare.resolve = resolve\n"
        "main(sys.argv[1:])"
    )
    command = ["-c", code, "run", str(tmp_path / "flow.yaml"), "--runs", str(tmp_path), "--name", "flow"]
    with _python(*command) as process:
        assert process.stdout is not None
        while "fetching" not in process.stdout.readline():
            assert process.poll() is None
        assert _stopped(process, signal.SIGTERM, tmp_path) == 130


@contextmanager
def _started(port: int, place: Path) -> Iterator[subprocess.Popen[str]]:
    """`synth run` with a student that takes two calls at a time."""
    stand_ins = ["-m", "tests.support.recorded", str(port), str(place / "weights")]
    command = ["run", str(place / "flow.yaml"), "--runs", str(place), "--name", "flow", "--quiet"]
    with _python(*stand_ins, *command, "--set", "models.student.concurrency=2") as process:
        yield process


@contextmanager
def _python(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process that does not outlive the test."""
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, stdout=pipe, stderr=pipe, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _stopped(process: subprocess.Popen[str], number: int, place: Path) -> int:
    """Send the signal; returns the exit code once the run has said and noted that it stopped."""
    process.send_signal(number)
    _, said = process.communicate(timeout=300)
    assert "stopped; the same command goes on from here" in said
    assert "Traceback" not in said
    assert read_journal(place / "flow/journal.db").meta["state"] == "stopped"
    return process.returncode


def _until(what: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 300
    while not what():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _count(path: Path, table: str, where: str = "1") -> int:
    [(count,)] = _rows(path, f"SELECT COUNT(*) FROM {table} WHERE {where}")
    return int(str(count))


def _rows(path: Path, query: str) -> list[tuple[object, ...]]:
    journal = Journal(path)
    rows = journal._reader.execute(query).fetchall()
    journal.close()
    return rows
