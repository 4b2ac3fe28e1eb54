"""A finished run to look at, copy and replay, made once for all tests of the engine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.recorded import FLOW, synth, with_stand_ins

ROOT = Path(__file__).parents[2]


@contextmanager
def student_server(*options: str) -> Iterator[int]:
    """Port of a scripted student, the base and the trained one, in a process of its own."""
    command = [sys.executable, "-m", "tests.support.openai_server", "--reply", "tests.support.recorded:sums"]
    command += ["--model", "base", "--model", "student-1", *options]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="session")
def server() -> Iterator[int]:
    """Port of a student that answers at once."""
    with student_server() as port:
        yield port


@pytest.fixture(scope="session")
def recorded(server: int, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run in the folder `flow`, beside its flow file. Not to be written to."""
    place = tmp_path_factory.mktemp("recorded")
    (place / "flow.yaml").write_text(FLOW)
    with with_stand_ins(server, place / "weights"):
        assert synth("run", place / "flow.yaml", "--runs", place, "--quiet") == 0
    return place / "flow"
