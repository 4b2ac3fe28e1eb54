"""The from-scratch student: `python -m synth.students.scratch JOB.json` makes and trains it."""

from __future__ import annotations

import sys
from pathlib import Path

from synth.config.flowfile import Scratch, Train
from synth.students.job import TrainJob
from synth.students.process import run

__all__ = ["scratch_job"]


def scratch_job(spec: Scratch, data: Path, output: Path, work: Path) -> TrainJob:
    """The job that trains the tiny student from nothing on `data`.

    The settings are fixed: they suit this size and rows of up to a hundred bytes.
    """
    train = Train(
        lora=None,
        learning_rate=5e-3,
        batch_size=64,
        warmup_ratio=0.05,
        weight_decay=0.01,
        max_length=1024,
        seed=spec.seed,
    )
    return TrainJob(
        model=work / "untrained",
        data=data,
        output=output,
        work=work,
        train=train,
        steps=spec.steps,
        name="nothing (the tiny model's initial weights)",
    )


def main(job: TrainJob) -> None:
    """Make the untrained model that the job names, then train it."""
    from synth.students.tiny import save_untrained
    from synth.students.training import train

    save_untrained(job.model, job.train.seed)
    train(job)


if __name__ == "__main__":
    sys.exit(run(main))
