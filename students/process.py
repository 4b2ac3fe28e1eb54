"""The entry of a training process: reads its job, keeps libraries quiet, reports what went wrong."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from synth.errors import SynthError
from synth.students.job import Job, TrainJob, write_file

__all__ = ["run"]

QUIET = {
    # Everything needed is on disk, and nobody is told of it.
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TQDM_DISABLE": "1",
}

PR_SET_PDEATHSIG = 1


def run(do: Callable[[Any], object], kind: type[Job] = TrainJob) -> int:
    """Do the job in the file named on the command line, of this kind; returns the exit status.

    `do` imports torch and the like itself, so that they see the environment set here.
    """
    if len(sys.argv) != 2:
        print(f"usage: {Path(sys.argv[0]).name} JOB.json", file=sys.stderr)
        return 2
    try:
        job = kind.model_validate_json(Path(sys.argv[1]).read_bytes())
    except (OSError, ValidationError) as error:
        print(f"reading the job {sys.argv[1]}: {error}", file=sys.stderr)
        return 2
    os.environ.update(QUIET)
    if "LOCAL_RANK" in os.environ:
        # Launchers give each process a session of its own, so killing theirs would leave it running.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # By default OpenMP's threads spin while they wait for each other; where something else runs on
    # the same cores, that halves the speed (measured with the tiny model on two cores).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        do(job)
    except SynthError as error:
        print(error, file=sys.stderr)
        write_file(job.error, json.dumps({"what": error.what, "cure": error.cure}))
        return error.exit_code
    return 0
