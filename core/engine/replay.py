"""Replay: a run answered by another run's journal, and what it takes over besides replies."""

from __future__ import annotations

import contextlib
import filecmp
import os
import shutil
from pathlib import Path
from typing import Any

import orjson

from synth.config import Train
from synth.engine.folder import RunFolder, lesson_folders
from synth.errors import RunError
from synth.journal import Journal
from synth.runs.differences import differences
from synth.runs.recording import Recording

__all__ = ["attach", "take_over", "untrained"]

_NO_MATTER = ("save_steps", "threads", "recipe", "launch", "trackers")
"""Settings of a training that do not decide what is learnt."""


def attach(journal: Journal, folder: RunFolder, replay: Path | None) -> Recording | None:
    """The run that answers for this one: `replay`, or the one it was begun as a replay of.

    The journal falls back on it from here on, and the run remembers it.
    """
    noted = journal.meta("replay")
    path = replay or (Path(noted) if noted else None)
    if path is None:
        return None
    if path.resolve() == folder.path.resolve():
        raise RunError(f"the run {path} cannot replay itself", "give the new run another --name")
    recording = Recording(path.resolve(), folder.path.name)
    journal.earlier = recording.find
    journal.set_meta("replay", str(path.resolve()))
    return recording


def untrained(recorded: Path, role: str, data: Path, train: Train, start: str) -> str:
    """Why a role's training in a recorded round's folder cannot stand for one on `data` (its jsonl)
    with these settings from the weights `start`, in words; empty if it can."""
    work, output = lesson_folders(role)
    if not ((recorded / work / "result.json").is_file() and (recorded / output).is_dir()):
        return f"{recorded} has no finished training"
    asked = Train.model_validate(orjson.loads((recorded / work / "job.json").read_bytes())["train"])
    if changed := list(differences(_decisive(asked), _decisive(train), "train")):
        return f"the settings are not those of {recorded}: {'; '.join(changed)}"
    plan = orjson.loads((recorded / "plan.json").read_bytes())
    if (plan["weights"] if role == "student" else plan.get("learners", {}).get(role)) != start:
        return f"it starts from other weights than {recorded}"
    if not filecmp.cmp(recorded / "data" / data.name, data, shallow=False):
        return f"the training data are not those of {recorded}"
    return ""


def take_over(recorded: Path, folder: Path, role: str) -> Path:
    """Bring a role's recorded training and weights into a round's `folder`; returns the result's path."""
    names = lesson_folders(role)
    for name in names:
        target, part = folder / name, folder / f"{name}.part"
        if not target.exists():
            shutil.rmtree(part, ignore_errors=True)
            leave = shutil.ignore_patterns("checkpoints")
            shutil.copytree(recorded / name, part, copy_function=_copy, ignore=leave)
            part.rename(target)
    return folder / names[0] / "result.json"


def _decisive(train: Train) -> dict[str, Any]:
    return train.model_dump(mode="json", exclude=set(_NO_MATTER))


def _copy(source: str, target: str) -> None:
    """Weights are linked where that can be: they are large, and only ever replaced whole."""
    if source.endswith(".safetensors"):
        with contextlib.suppress(OSError):
            os.link(source, target)
            return
    shutil.copy2(source, target)
