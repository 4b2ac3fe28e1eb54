"""Starts a training process, follows it, and says plainly why it failed.

The process is torch's world; this side never imports it. The process dies with us, and goes
on from its last checkpoint when the same job is asked for again.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from synth.config.flowfile import Scratch
from synth.config.locate import made_importable
from synth.errors import TrainError
from synth.students.job import Job, TrainJob, TrainResult, write_file
from synth.students.log import LogTail
from synth.students.scratch import scratch_job
from synth.students.souping import SoupJob, SoupResult

__all__ = ["build_scratch", "merge", "soup", "train"]

OnProgress = Callable[[dict[str, Any]], None]
POLL = 0.2
"""Seconds between looks at the log."""
SHOWN = 15
"""Lines of the process's output that an error carries."""
MEMORY = (
    "lower train.batch_size and raise train.gradient_accumulation, lower train.max_length, or use train.lora"
)
CURES = (
    (
        "No space left on device",
        "free space on the disk of {work}; the same command goes on from the last checkpoint",
    ),
    (
        "CUDA out of memory",
        MEMORY + "; a model server on the same GPU keeps server.gpu_memory_utilization of it",
    ),
    ("can't allocate memory", MEMORY),
    ("MemoryError", MEMORY),
    ("No module named 'deepspeed'", "pip install deepspeed, or name another train.launch"),
    ("DeepSpeed is not installed", "pip install deepspeed, or name another train.launch"),
    ("Permission denied", "make {work} and {output} writable for this user"),
    ("No module named", "install the training extra: pip install 'synth[cpu]', or 'synth[gpu]'"),
)
"""What the output says -> what to do."""
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


async def train(job: TrainJob, on_progress: OnProgress | None = None) -> TrainResult:
    """Train, or return the earlier result if this very job was done before.

    `on_progress` gets each line of the log (see `StepLog`). Raises `TrainError`, `DataError`.
    """
    return await _run("synth.students.train", job, on_progress)


async def build_scratch(
    spec: Scratch, data: Path, output: Path, work: Path, on_progress: OnProgress | None = None
) -> TrainResult:
    """Make and train the tiny student on rows of prompt and completion; `output` is a model folder."""
    return await _run("synth.students.scratch", scratch_job(spec, data, output, work), on_progress)


async def merge(job: TrainJob) -> TrainResult:
    """The job's adapter merged into its base model, in `job.output`. Raises `TrainError`."""
    return await _run("synth.students.merge", job, None, alone=True)


async def soup(job: SoupJob) -> SoupResult:
    """Students' weights averaged, or layers of one restored, in `job.output`. Raises `TrainError`."""
    await _process("synth.students.soup", job, None, None, alone=True)
    return SoupResult.model_validate_json(job.report.read_bytes())


async def _run(
    module: str, job: TrainJob, on_progress: OnProgress | None, alone: bool = False
) -> TrainResult:
    if done := job.finished():
        return done
    await _process(module, job, on_progress, None if alone else job.launch, alone)
    return TrainResult.model_validate_json(job.report.read_bytes())


async def _process(
    module: str, job: Job, on_progress: OnProgress | None, launch: Path | None, alone: bool
) -> None:
    """Have a process do a job, and follow it. Raises `TrainError` where it fails."""
    try:
        for old in (job.report, job.error):
            old.unlink(missing_ok=True)
        write_file(job.file, job.model_dump_json(indent=2))
    except OSError as error:
        raise TrainError(
            f"preparing the training in {job.work}: {error}",
            "make the folder writable, with space left on its disk",
        ) from error
    tail = LogTail(job.log)
    process = await _start(_command(module, job.file, alone, launch), job.printed)
    ended = asyncio.create_task(process.wait())
    try:
        while not ended.done():
            await asyncio.wait([ended], timeout=POLL)
            for line in tail.poll():
                if on_progress:
                    on_progress(line)
    finally:
        await _end(process, ended)
    if process.returncode != 0:
        raise _failure(job, process.returncode or 0)


def _command(module: str, file: Path, alone: bool = False, launch: Path | None = None) -> list[str]:
    """One process, or as `launch` says, or with several GPUs one for each, unless it works `alone`."""
    gpus = 1 if alone else _gpus()
    if launch is not None and not alone:
        options = ["--config_file", str(launch)]
    elif gpus > 1:
        options = (
            f"--num_machines 1 --num_processes {gpus} --mixed_precision bf16 --dynamo_backend no".split()
        )
    else:
        return [sys.executable, "-m", module, str(file)]
    return [sys.executable, "-m", "accelerate.commands.launch", *options, "-m", module, str(file)]


def _gpus() -> int:
    """NVIDIA GPUs this process may use, found without loading torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([name for name in visible.split(",") if name.strip() not in ("", "-1")])
    return len(list(Path("/proc/driver/nvidia/gpus").glob("*")))


async def _start(command: list[str], printed: Path) -> asyncio.subprocess.Process:
    """The process in a session of its own, so that all it starts can be ended together."""
    parent = os.getpid()

    def die_with_parent() -> None:
        # SIGTERM, since accelerate passes it on to the processes it started.
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    # The user's own modules are found there as they are here.
    paths = [*filter(None, [os.environ.get("PYTHONPATH")]), *made_importable()]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)} if paths else None
    with printed.open("wb") as output:
        return await asyncio.create_subprocess_exec(
            *command,
            env=env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )


async def _end(process: asyncio.subprocess.Process, ended: asyncio.Task[int]) -> None:
    """Kill what is still running: we were cancelled, or the callback failed."""
    if not ended.done():
        os.killpg(process.pid, signal.SIGKILL)
        await ended


def _failure(job: Job, status: int) -> TrainError:
    """The error the process reported, or one made from its last words."""
    if job.error.is_file():
        return TrainError(**json.loads(job.error.read_bytes()))
    printed = job.printed.read_text(encoding="utf-8", errors="replace")
    last = "\n".join(f"    {line}" for line in printed.splitlines()[-SHOWN:])
    how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    what = f"training into {job.output}: the process {how}; the end of {job.printed}:\n{last}"
    for sign, cure in CURES:
        if sign in printed:
            return TrainError(what, cure.format(work=job.work, output=job.output))
    if status in (-signal.SIGKILL, 128 + signal.SIGKILL):
        return TrainError(what, f"most likely memory ran out: {MEMORY}")
    return TrainError(what, f"see {job.printed}; the same command goes on from the last checkpoint")
