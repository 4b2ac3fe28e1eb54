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

    The settings are fixed: they suit a million parameters and rows of about a hundred bytes.
    """
    train = Train(
        lora=None,
        learning_rate=3e-3,
        batch_size=32,
        warmup_ratio=0.05,
        weight_decay=0.01,
        max_length=512,
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
    from synth.students.sft import train
    from synth.students.tiny import save_untrained

    save_untrained(job.model, job.train.seed)
    train(job)


if __name__ == "__main__":
    sys.exit(run(main))
