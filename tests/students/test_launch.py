"""Starting, following and ending the training process, with a script in the trainer's place."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from synth.errors import TrainError
from synth.students import launch
from synth.students.job import TrainJob

BEGIN = """
    import json, os, signal, sys, time
    from pathlib import Path
    from synth.students.job import TrainJob, TrainResult
    from synth.students.log import StepLog
    job = TrainJob.model_validate_json(Path(sys.argv[1]).read_bytes())
"""
SUCCEED = """
    log = StepLog(job.log)
    for step in (1, 2, 3):
        log.add(step=step, tokens=step, steps=3, loss=1.0 / step)
    result = TrainResult(job=job.fingerprint(), output=job.output, weights="0", steps=3, examples=1,
                         left_out=0, tokens=3, seconds=0.1, loss=0.5)
    job.report.write_text(result.model_dump_json())
    job.output.mkdir()
"""
HANG = """
    (job.work / "pid").write_text(str(os.getpid()))
    StepLog(job.log).add(step=1, tokens=1, steps=2, loss=1.0)
    signal.pause()
"""


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Puts a script in the place of the training module."""

    def use(body: str) -> None:
        script = tmp_path / "trainer.py"
        script.write_text(textwrap.dedent(BEGIN) + textwrap.dedent(body))
        monkeypatch.setattr(
            launch, "_command", lambda module, file, *rest: [sys.executable, str(script), str(file)]
        )

    return use


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def test_progress_and_result_come_back(make_job, trainer) -> None:
    """The flow sees every step and the result."""
    trainer(SUCCEED)
    job, seen = make_job(), []
    result = await launch.train(job, seen.append)
    assert [line["step"] for line in seen] == [1, 2, 3]
    assert result.steps == 3
    assert TrainJob.model_validate_json(job.file.read_bytes()) == job


async def test_finished_job_is_not_done_again(make_job, trainer) -> None:
    """Going on with a run costs nothing where training was done."""
    trainer(SUCCEED)
    first = await launch.train(make_job())
    trainer("raise SystemExit(9)")
    assert await launch.train(make_job()) == first
    with pytest.raises(TrainError):
        await launch.train(make_job(train={"seed": 5}))


@pytest.mark.parametrize(
    ("body", "cure"),
    [
        ("raise OSError(28, os.strerror(28))", "free space on the disk"),
        ("raise PermissionError(13, os.strerror(13), 'x')", "writable"),
        ("sys.exit('torch.OutOfMemoryError: CUDA out of memory. Tried')", "gpu_memory_utilization"),
        ('sys.exit("DefaultCPUAllocator: can\'t allocate memory: you tried")', "lower train.batch_size"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "memory ran out"),
        ("import no_such_module_of_ours", "install the training extra"),
        ("sys.exit('something else')", "goes on from the last checkpoint"),
    ],
)
async def test_failures_carry_a_cure(make_job, trainer, body: str, cure: str) -> None:
    """A failed training says what the process said, and what to do."""
    trainer(f"print('last words', flush=True)\n{body}")
    with pytest.raises(TrainError) as caught:
        await launch.train(make_job())
    assert cure in caught.value.cure
    assert "last words" in caught.value.what


async def test_unwritable_folder_is_named(make_job) -> None:
    """A path that cannot be written is the user's to mend, not a traceback."""
    job = make_job()
    job.work.parent.mkdir()
    job.work.write_text("a file where a folder should be")
    with pytest.raises(TrainError) as caught:
        await launch.train(job)
    assert str(job.work) in caught.value.what
    assert "writable" in caught.value.cure


async def test_error_known_to_the_process_comes_through(make_job, trainer) -> None:
    """What the training process itself can explain is not buried in its output."""
    trainer('job.error.write_text(json.dumps({"what": "loss is nan", "cure": "lower it"})); sys.exit(4)')
    with pytest.raises(TrainError) as caught:
        await launch.train(make_job())
    assert (caught.value.what, caught.value.cure) == ("loss is nan", "lower it")


async def test_cancelling_kills_the_process(make_job, trainer) -> None:
    """Ctrl-C leaves no training behind."""
    trainer(HANG)
    job, started = make_job(), asyncio.Event()
    task = asyncio.create_task(launch.train(job, lambda line: started.set()))
    await asyncio.wait_for(started.wait(), 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not alive(int((job.work / "pid").read_text()))


def test_process_dies_with_its_parent(make_job, tmp_path: Path) -> None:
    """A flow killed with SIGKILL leaves no training that eats the machine."""
    job, script, parent = make_job(), tmp_path / "trainer.py", tmp_path / "parent.py"
    script.write_text(textwrap.dedent(BEGIN) + textwrap.dedent(HANG))
    parent.write_text(
        f"""
import asyncio, sys
from pathlib import Path
from synth.students import launch
from synth.students.job import TrainJob
launch._command = lambda module, file, *rest: [sys.executable, {str(script)!r}, str(file)]
job = TrainJob.model_validate_json({job.model_dump_json()!r})
asyncio.run(launch.train(job, lambda line: print("started", flush=True)))
"""
    )
    with subprocess.Popen([sys.executable, parent], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        child = int((job.work / "pid").read_text())
        handle = os.pidfd_open(child)
        process.send_signal(signal.SIGKILL)
    assert select.select([handle], [], [], 30)[0]
    os.close(handle)
    assert not alive(child)


def test_several_gpus_are_trained_on_under_accelerate(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """TRL refuses several GPUs in one process, so each gets its own."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,3")
    command = launch._command("synth.students.train", tmp_path / "job.json")
    assert command[1:3] == ["-m", "accelerate.commands.launch"]
    assert command[command.index("--num_processes") + 1] == "3"
    for none in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", none)
        assert launch._command("m", tmp_path / "job.json") == [
            sys.executable,
            "-m",
            "m",
            str(tmp_path / "job.json"),
        ]


def test_a_configuration_of_accelerate_is_followed(tmp_path: Path) -> None:
    """Named, it decides how many processes there are; work that is done alone stays alone."""
    file = tmp_path / "job.json"
    command = launch._command("synth.students.train", file, False, tmp_path / "fsdp.yaml")
    assert command[1:5] == ["-m", "accelerate.commands.launch", "--config_file", str(tmp_path / "fsdp.yaml")]
    assert command[-3:] == ["-m", "synth.students.train", str(file)]
    assert launch._command("m", file, True, tmp_path / "fsdp.yaml") == [sys.executable, "-m", "m", str(file)]


def test_launcher_does_not_load_torch() -> None:
    """The flow process stays small and quick to start."""
    heavy = "{'torch', 'transformers', 'trl', 'datasets', 'pandas'}"
    code = f"import synth.students.launch, synth.students.card, sys; print({heavy} & set(sys.modules))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == "set()"
