"""Pruning: what nights leave behind must not fill the disk. Only weights are ever deleted."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from synth.nightly.champion import current
from synth.nightly.file import Keep
from synth.nightly.state import Night, nights

__all__ = ["prune"]

DAY = 86_400.0


def prune(home: Path, keep: Keep, ended: str = "", now: float | None = None) -> list[str]:
    """Delete what the policy does not keep; returns what was deleted, in words.

    The current champion always stays, and all that the last night needs, unless it is finished or
    `ended`, which is the name of a night about to be.
    """
    now = time.time() if now is None else now
    every = nights(home)
    last = every[-1] if every and every[-1].finished is None and every[-1].name != ended else None
    said = _champions(home, keep.champions, last)
    for night in every:
        if night != last and now - night.started > keep.days * DAY:
            said += [f"weights of {path.relative_to(home)}" for path in _weights(home / night.name)]
    return said


def _champions(home: Path, most: int, last: Night | None) -> list[str]:
    champion = current(home)
    needed = {champion.name} if champion else set()
    needed |= {played.start for played in last.flows if played.start} if last else set()
    folders = [path for path in (home / "champion").glob("[0-9]*") if path.is_dir()]
    folders = sorted(path for path in folders if path.name not in needed)
    old = folders[: max(0, len(folders) - (most - 1))]
    for path in old:
        shutil.rmtree(path)
    return [f"champion {path.name}" for path in old]


def _weights(night: Path) -> list[Path]:
    """Delete the students and checkpoints of a night's runs; their cards stay."""
    found = []
    for path in night.glob("runs/*/rounds/*/*/*.safetensors"):
        path.unlink()
        found.append(path.parent)
    for path in night.glob("runs/*/rounds/*/*/checkpoints"):
        shutil.rmtree(path)
        found.append(path)
    return list(dict.fromkeys(found))
