"""The product as a user has it: real vLLM, the real small model, real training, real kills."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("vllm") is None, reason="vLLM is not installed: make setup installs it"
    ),
]

SMALL = (
    *("data.test.size=4", "data.profile.size=2", "data.pool.size=6", "with.draws=1"),
    *("evaluate.max_tokens=16", "budget.train_tokens=900", "train.save_steps=2"),
)


def start(runs: Path, *more: str) -> subprocess.Popen[bytes]:
    """`synth run flows/stat.yaml`, made small."""
    overrides = [part for value in (*SMALL, *more) for part in ("--set", value)]
    command = [sys.executable, "-m", "synth.cli.main", "run", "flows/stat.yaml", "--name", "small"]
    with (runs / "printed.log").open("ab") as printed:
        return subprocess.Popen(
            [*command, "--runs", str(runs), *overrides], cwd=ROOT, stdout=printed, stderr=printed
        )


def servers() -> list[psutil.Process]:
    """Processes of vLLM servers that any synth of this user has started."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or ())
        if "vllm.entrypoints" in line or "VLLM::" in line or "synth.students.train" in line:
            found.append(process)
    return found


def wait_for(what: Callable[[], bool], process: subprocess.Popen[bytes], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert process.poll() is None, "the run ended before the moment it was to be killed at"
        assert time.monotonic() < deadline, "the run did not come to the moment it was to be killed at"
        time.sleep(0.2)


def gone(seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while servers() and time.monotonic() < deadline:
        time.sleep(0.5)
    return not servers()


def test_a_run_killed_in_training_goes_on_to_its_gate(tmp_path: Path) -> None:
    """From nothing to a gate's decision, with kill -9 in the middle: no server is left behind, no
    call is paid again, training goes on from its checkpoint, and every file is there."""
    assert not servers(), "another run is under way on this machine"
    folder = tmp_path / "small"
    log = folder / "rounds/1/train/log.jsonl"

    first = start(tmp_path)
    wait_for(lambda: log.exists() and len(log.read_text().splitlines()) >= 3, first, 600)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert gone(), "processes were left behind by kill -9"

    second = start(tmp_path)
    assert second.wait(timeout=900) == 0, (tmp_path / "printed.log").read_text()[-3000:]
    assert gone(), "processes were left behind at the end"

    steps = [json.loads(line)["step"] for line in log.read_text().splitlines()]
    assert steps == list(range(1, steps[-1] + 1))
    receipt = json.loads(synth("audit", str(folder), "--json"))
    assert receipt["starts"] == 2
    assert (receipt["repeated"], receipt["lost"], receipt["duplicated"]) == (0, 0, 0)

    status = json.loads(synth("status", str(folder), "--json"))
    assert status["state"] == "finished"
    [round_] = status["rounds"]
    assert round_["decision"]["decision"] in ("promote", "keep")
    assert round_["decision"]["n"] == 28

    for name in ("before", "after"):
        assert len((folder / f"rounds/1/eval/{name}.jsonl").read_text().splitlines()) == 28
    before, after = ((folder / f"rounds/1/eval/{name}.jsonl").read_text() for name in ("before", "after"))
    assert before != after, "the trained weights answered like the base model: they were not served"
    student = folder / "rounds/1/student"
    assert (student / "adapter_model.safetensors").exists()
    assert "evaluation" in (student / "README.md").read_text().lower()
    report = (folder / "report.html").read_text()
    assert "<svg" in report
    assert "matrix_spiral" in report


def synth(*arguments: str) -> str:
    command = [sys.executable, "-m", "synth.cli.main", *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
