"""Reading a model server's log: its end, and the first error in it."""

from __future__ import annotations

import os
import re
from pathlib import Path

__all__ = ["first_error", "tail"]

TAIL_BYTES = 1 << 16
LONGEST_LINE = 300
# What native libraries print when a process ends in any way but the best.
NOISE = re.compile(r"(nanobind: | - leaked | - \.\.\. skipped remainder|See https://nanobind)")
# (EngineCore pid=12) ERROR 01-31 10:00:00 [core.py:15] torch.SomeError: what happened
ERROR = re.compile(
    r"^(?:\(\w+[^)]*\) )?(?:ERROR [\d-]+ [\d:]+ \[[^]]*\] )?"
    r"((?:[A-Za-z_][\w.]*(?:Error|Exception)|[\w.]+: error): .*)$",
    re.MULTILINE,
)


def tail(log: Path, start: int, lines: int) -> list[str]:
    """The last lines after byte `start` that say something, long ones cut."""
    if not log.is_file():
        return []
    with log.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(start, end - TAIL_BYTES))
        text = file.read().decode("utf-8", errors="replace")
    said = [line for line in text.splitlines() if line.strip() and not NOISE.match(line)]
    return [line[:LONGEST_LINE] for line in said[-lines:]]


def first_error(log: Path, start: int) -> str | None:
    """The first exception after byte `start`, which the later ones only follow from."""
    if not log.is_file():
        return None
    with log.open("rb") as file:
        file.seek(start)
        text = file.read().decode("utf-8", errors="replace")
    found = ERROR.search(text)
    if found is None:
        return None
    detail = text[found.end() :].lstrip("\n").partition("\n")[0]
    # Pydantic says what is wrong on the next, indented line.
    more = f" {detail.strip()}" if detail.startswith("  ") else ""
    return (found[1] + more)[: 2 * LONGEST_LINE]
