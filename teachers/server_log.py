"""Reading a model server's log: its end, and the first error in it."""

from __future__ import annotations

import os
import re
from pathlib import Path

__all__ = ["cure_of", "first_error", "message", "tail"]

TAIL_BYTES = 1 << 16
LONGEST_LINE = 300
# What native libraries print when a process ends in any way but the best.
NOISE = re.compile(r"(nanobind: | - leaked | - \.\.\. skipped remainder|See https://nanobind)")
# (Worker pid=12) INFO 01-31 10:00:00 [loader.py:501] what happened
HEAD = re.compile(r"^(?:\(\w+[^)]*\) *)?(?:[A-Z]+ [\d-]+ [\d:]+ \[[^]]*\])?\s*")
# (EngineCore pid=12) ERROR 01-31 10:00:00 [core.py:15] torch.SomeError: what happened
ERROR = re.compile(
    r"^(?:\(\w+[^)]*\) )?(?:ERROR [\d-]+ [\d:]+ \[[^]]*\] )?"
    r"((?:[A-Za-z_][\w.]*(?:Error|Exception)|[\w.]+: error): .*)$",
    re.MULTILINE,
)

CURES = (
    (
        r"OutOfMemoryError|CUDA out of memory|Free memory on device .* is less than desired",
        "the GPU has too little memory left: end what else uses it (nvidia-smi lists it), lower "
        "server.gpu_memory_utilization, or spread the model with server.tensor_parallel_size",
    ),
    (
        r"No available memory for the cache blocks|larger than the available KV cache",
        "the weights fit and the cache does not: lower server.max_model_len, or raise "
        "server.gpu_memory_utilization (on a CPU server.kv_cache_gib)",
    ),
    (
        r"max_model_len \(\d+\) is greater than",
        "lower server.max_model_len to what the model was made for, or leave it out",
    ),
    (
        r"Model architectures? .* (?:are|is) not supported|does not recognize this architecture",
        "this vLLM does not know the model's architecture: install a newer one, or name another model",
    ),
)
"""What the log says -> what to do about it."""


def cure_of(log: Path, start: int) -> str:
    """What to do about the best known faults after byte `start`; empty for any other."""
    said = "\n".join(tail(log, start, 400))
    return next((cure for sign, cure in CURES if re.search(sign, said)), "")


def message(line: str, most: int = 90) -> str:
    """What a line of a log says, without who says it and when, in at most `most` characters."""
    said = HEAD.sub("", line).strip()
    return said if len(said) <= most else said[: most - 3] + "..."


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
