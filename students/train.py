"""`python -m synth.students.train JOB.json`: train a student. Runs under `accelerate launch` too."""

from __future__ import annotations

import sys

from synth.students.job import TrainJob
from synth.students.process import run


def main(job: TrainJob) -> None:
    """Train as the job says."""
    from synth.students.training import train

    train(job)


if __name__ == "__main__":
    sys.exit(run(main))
