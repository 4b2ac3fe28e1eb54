"""The training log: one JSON line an optimiser step, written by the trainer, followed by the flow."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from synth.students.job import write_file

__all__ = ["LogTail", "StepLog", "read_log"]


class StepLog:
    """Writes the log. On resuming, the lines after the checkpoint go, and sums go on from it.

    A line holds `step`, `steps`, `epoch`, `loss`, `learning_rate`, `grad_norm`, `tokens` and
    `seconds` since the very start, `tokens_per_second` of the last step, and the objective's own
    figures (see `PairTrainer`).
    """

    def __init__(self, path: Path, after: int = 0) -> None:
        kept = [line for line in read_log(path) if line["step"] <= after]
        # A new file even when nothing changes: it tells a `LogTail` that writing began.
        write_file(path, "".join(_line(line) for line in kept))
        self.path = path
        self.lines = kept
        self._tokens_before = int(kept[-1]["tokens"]) if kept else 0
        self._seconds_before = float(kept[-1]["seconds"]) if kept else 0.0
        self._start = time.monotonic()

    def add(self, *, step: int, tokens: int, **figures: Any) -> dict[str, Any]:
        """Append a step; `tokens` is counted since this process started."""
        last = self.lines[-1] if self.lines else {"tokens": 0, "seconds": 0.0}
        total = self._tokens_before + tokens
        seconds = self._seconds_before + time.monotonic() - self._start
        line = {
            "step": step,
            **figures,
            "tokens": total,
            "seconds": round(seconds, 3),
            "tokens_per_second": round((total - last["tokens"]) / max(seconds - last["seconds"], 1e-3), 1),
        }
        self.lines.append(line)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(_line(line))
        return line

    def mean(self, name: str) -> float:
        """Mean of a figure over the last tenth of the steps; nan before the first."""
        last = [line[name] for line in self.lines[-max(1, len(self.lines) // 10) :] if name in line]
        return sum(last) / len(last) if last else math.nan


class LogTail:
    """Follows a log that another process writes; what an earlier process left is not shown."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = _identity(path)
        self._begun = False
        self._offset = 0

    def poll(self) -> Iterator[dict[str, Any]]:
        """The complete lines that are new since the last call."""
        identity = _identity(self.path)
        if identity is None or (not self._begun and identity == self._file):
            return
        if identity != self._file:
            self._file, self._begun, self._offset = identity, True, 0
        with self.path.open("rb") as file:
            file.seek(self._offset)
            new = file.read()
        complete = new[: new.rfind(b"\n") + 1]
        self._offset += len(complete)
        yield from (json.loads(line) for line in complete.splitlines())


def read_log(path: Path) -> list[dict[str, Any]]:
    """The steps of a log; a torn last line is passed over, a missing file is empty."""
    if not path.is_file():
        return []
    complete = path.read_bytes().rpartition(b"\n")[0]
    return [json.loads(line) for line in complete.splitlines()]


def _line(line: dict[str, Any]) -> str:
    return json.dumps(line) + "\n"


def _identity(path: Path) -> int | None:
    return path.stat().st_ino if path.exists() else None
