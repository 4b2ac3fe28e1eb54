"""The training log: continued after a crash, followed while it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from synth.students.log import LogTail, StepLog, read_log


def add(log: StepLog, step: int, tokens: int = 10) -> None:
    log.add(step=step, tokens=tokens, steps=4, loss=float(step))


def test_resumed_log_has_each_step_once(tmp_path: Path) -> None:
    """Steps after the checkpoint are done again, so their old lines go; tokens add up."""
    path = tmp_path / "log.jsonl"
    first = StepLog(path)
    for step in (1, 2, 3):
        add(first, step, tokens=100 * step)
    with path.open("a") as file:
        file.write('{"step": 4, "lo')
    second = StepLog(path, after=2)
    add(second, 3, tokens=100)
    assert [line["step"] for line in read_log(path)] == [1, 2, 3]
    assert [line["tokens"] for line in read_log(path)] == [100, 200, 300]
    seconds = [line["seconds"] for line in read_log(path)]
    assert seconds == sorted(seconds)


def test_loss_is_of_the_last_tenth(tmp_path: Path) -> None:
    """One noisy last step does not stand for the training."""
    log = StepLog(tmp_path / "log.jsonl")
    for step in range(1, 21):
        add(log, step)
    assert log.mean("loss") == pytest.approx(19.5)


def test_tail_shows_only_what_this_process_writes(tmp_path: Path) -> None:
    """Lines of a run that was killed are shown once, after the new process has sorted them."""
    path = tmp_path / "log.jsonl"
    old = StepLog(path)
    for step in (1, 2, 3):
        add(old, step)
    tail = LogTail(path)
    assert list(tail.poll()) == []
    new = StepLog(path, after=2)
    assert [line["step"] for line in tail.poll()] == [1, 2]
    add(new, 3)
    add(new, 4)
    assert [line["step"] for line in tail.poll()] == [3, 4]
    assert list(tail.poll()) == []


def test_tail_waits_for_a_whole_line(tmp_path: Path) -> None:
    """A line caught half-written is shown when it is complete."""
    path = tmp_path / "log.jsonl"
    tail = LogTail(path)
    assert list(tail.poll()) == []
    path.write_text('{"step": 1}\n{"st')
    assert list(tail.poll()) == [{"step": 1}]
    with path.open("a") as file:
        file.write('ep": 2}\n')
    assert list(tail.poll()) == [{"step": 2}]
