"""Which checkpoint to go on from after a crash."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

__all__ = ["clear_others", "last_complete", "step_of"]


def last_complete(folder: Path) -> Path | None:
    """The newest whole checkpoint; those a crash left half-written are removed.

    The trainer writes `trainer_state.json` last, so it vouches for the rest.
    """
    for checkpoint in sorted(folder.glob("checkpoint-*"), key=step_of, reverse=True):
        try:
            if json.loads((checkpoint / "trainer_state.json").read_bytes())["global_step"] == step_of(
                checkpoint
            ):
                return checkpoint
        except (OSError, ValueError, KeyError):
            pass
        shutil.rmtree(checkpoint)
    return None


def step_of(checkpoint: Path) -> int:
    """Optimiser steps done at a checkpoint, from its name."""
    return int(checkpoint.name.rpartition("-")[2])


def clear_others(folder: Path) -> None:
    """Remove the checkpoints of jobs other than the one whose folder this is."""
    for other in folder.parent.glob("*"):
        if other != folder:
            shutil.rmtree(other)
