"""The champion of all nights: whole weights in a folder of their own, and a pointer that moves at once."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path

from synth.engine.folder import RunFolder
from synth.errors import SynthError
from synth.measure.gate import Decision
from synth.runs.runfiles import Part, read_json
from synth.students.job import TrainJob, weights_digest
from synth.students.launch import merge

__all__ = ["Champion", "crown", "current", "decisions", "weights_of"]

POINTER = "current.json"


class Champion(Part):
    """Who answers at the end of a night; `champion/current.json`."""

    name: str
    """Its folder beside the pointer."""
    weights: str = ""
    """SHA-256 of the weights."""
    night: str
    flow: str
    run: str
    round: int
    parent: str | None
    """The champion before it; None: the flow file's own student."""
    at: float = 0.0
    """Unix seconds."""


def current(home: Path) -> Champion | None:
    """The champion, its weights checked; None before the first. Raises `SynthError` where they are not
    those it was crowned with."""
    warnings: list[str] = []
    champion = read_json(home / "champion" / POINTER, Champion, warnings)
    if champion is None and not warnings:
        return None
    if champion is None or weights_digest(weights_of(home, champion.name)) != champion.weights:
        raise SynthError(
            f"the champion in {home / 'champion'} is damaged: {warnings or 'its weights have changed'}",
            f"restore them, or name an earlier champion in {POINTER}; without that file the next night "
            "begins with the flow files' own student",
        )
    return champion


def weights_of(home: Path, name: str) -> Path:
    """Folder of a champion's weights."""
    return home / "champion" / name


def decisions(run: Path) -> dict[int, Decision]:
    """Round -> what its gate decided, as far as the run got, however it ended."""
    numbers = sorted(int(path.parent.name) for path in run.glob("rounds/*/gate.json"))
    read = {n: read_json(run / "rounds" / str(n) / "gate.json", Decision, []) for n in numbers}
    return {number: decision for number, decision in read.items() if decision is not None}


async def crown(home: Path, run: Path, champion: Champion) -> None:
    """Bring a run's student into the folder of champions, then move the pointer to it.

    Whole weights are linked where that can be; an adapter is merged into the weights it was
    trained on, so that any flow can go on from it. Raises `SynthError`.
    """
    folder = weights_of(home, champion.name)
    if not folder.exists():
        student = run / "rounds" / str(champion.round) / "student"
        part = folder.with_name(f".{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        if (student / "adapter_config.json").is_file():
            job = _merging(student, part)
            await merge(job)
            shutil.rmtree(job.work, ignore_errors=True)
        else:
            shutil.copytree(student, part, copy_function=_link)
        part.rename(folder)
    named = champion.model_copy(update={"weights": weights_digest(folder), "at": time.time()})
    RunFolder.write_json(home / "champion" / POINTER, named)


def _merging(student: Path, output: Path) -> TrainJob:
    """The job that merges a trained adapter, after the one that trained it."""
    job = TrainJob.model_validate_json((student.parent / "train" / "job.json").read_bytes())
    whole = job.train.model_copy(update={"lora": None})
    work = output.with_name(f"{output.name}.work")
    data = student.parent / "data" / job.data.name
    return job.model_copy(
        update={"adapter": student, "output": output, "work": work, "train": whole, "data": data}
    )


def _link(source: str, target: str) -> None:
    """Weights are only ever replaced whole, so two folders may share them."""
    if source.endswith(".safetensors"):
        with contextlib.suppress(OSError):
            os.link(source, target)
            return
    shutil.copy2(source, target)
