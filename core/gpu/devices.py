"""NVIDIA's GPUs that this process may use, as `nvidia-smi` tells of them; torch is not loaded."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass

__all__ = ["MIB", "Gpu", "ask_gpus", "visible_gpus"]

MIB = 1 << 20
_QUERY = "--query-gpu=index,uuid,name,memory.total,memory.free"


@dataclass(frozen=True)
class Gpu:
    """One GPU: its number in the order of the PCI bus, and bytes."""

    index: str
    uuid: str
    name: str
    total: int
    free: int


def visible_gpus() -> tuple[Gpu, ...]:
    """The GPUs that `CUDA_VISIBLE_DEVICES` leaves; none where there are none, or nobody can tell."""
    with suppress(OSError, subprocess.SubprocessError, ValueError):
        return _left(ask_gpus(), os.environ.get("CUDA_VISIBLE_DEVICES"))
    return ()


def ask_gpus() -> list[Gpu]:
    """All GPUs of this machine. Raises `OSError` or `SubprocessError` where nvidia-smi does not work."""
    if not (tool := shutil.which("nvidia-smi")):
        return []
    asked = subprocess.run(
        [tool, _QUERY, "--format=csv,noheader,nounits"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    lines = [line.split(",") for line in asked.stdout.splitlines() if line.strip()]
    found = [[part.strip() for part in line] for line in lines]
    # Where memory is shared with the processor, no figure is given.
    return [
        Gpu(index, uuid, name, int(total) * MIB, int(free) * MIB)
        for index, uuid, name, total, free in found
        if total.isdecimal() and free.isdecimal()
    ]


def _left(gpus: list[Gpu], visible: str | None) -> tuple[Gpu, ...]:
    """Those named by the variable, in its order; CUDA stops at the first name it does not know."""
    if visible is None:
        return tuple(gpus)
    left: list[Gpu] = []
    for name in visible.split(","):
        name = name.strip()
        one = next(
            (gpu for gpu in gpus if name == gpu.index or (len(name) > 4 and gpu.uuid.startswith(name))), None
        )
        if one is None:
            break
        left.append(one)
    return tuple(left)
