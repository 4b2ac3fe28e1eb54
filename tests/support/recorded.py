"""A whole small run of STAT without a GPU or torch: the student is a scripted server, and its
training writes a file. All else is the real thing, command line included.

python -m tests.support.recorded PORT FOLDER run FLOW ...      (`synth run` with these stand-ins)
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from synth.cli.main import main
from synth.config import FlowFile, ModelSpec
from synth.progress import Progress
from synth.rounds import lesson, prepare
from synth.students.job import TrainJob, TrainResult, weights_digest
from synth.teachers.model import Model
from synth.teachers.team import Team

__all__ = ["FLOW", "sums", "synth", "with_stand_ins"]

FLOW = """
flow: stat
models:
  student: {model: smollm2-135m, concurrency: 32}
  teacher: {program: "synth.teachers.oracle:task_teacher"}
data:
  test: {source: tasks, families: [addition], size: 20, seed: 1}
  profile: {source: tasks, families: [addition], size: 6, seed: 2}
  pool: {source: tasks, families: [addition], size: 20, seed: 3}
with: {draws: 2, examples: 20}
"""


def sums(messages: Sequence[Mapping[str, Any]], body: Mapping[str, Any]) -> str:
    """The student's replies: the base model cannot add, the trained one can."""
    numbers = re.findall(r"-?\d+", str(messages[-1]["content"]))
    return str(sum(map(int, numbers))) if body["model"] != "base" else "many"


def synth(*arguments: str | Path) -> int:
    """Call the command line in this process; returns its exit code."""
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


@contextmanager
def with_stand_ins(port: int, weights: Path) -> Iterator[list[TrainJob]]:
    """The student served on `port`, its base weights in `weights`; yields the trainings asked for."""
    trained: list[TrainJob] = []
    _make_weights(weights)

    class Served(Team):
        async def _local(self, role: str, spec: ModelSpec) -> Model:
            endpoint = self._endpoint(f"http://127.0.0.1:{port}/v1", spec, None)
            return Model(role, spec.title, "base-weights", "base", endpoint, self._journal)

        async def swap_in(self, role: str, weights: Path, version: str, name: str) -> None:
            assert weights.is_dir()
            self.models[role].become(name, version)

    async def folders(flow: FlowFile, path: Path, progress: Progress) -> dict[str, Path]:
        return {role: weights for role, spec in flow.models.items() if spec.kind == "local"}

    async def train(job: TrainJob, on_progress: Callable[[dict[str, Any]], None]) -> TrainResult:
        if done := job.finished():
            return done
        trained.append(job)
        return _train(job)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepare, "Team", Served)
        patch.setattr(prepare, "prepare_folders", folders)
        patch.setattr(lesson, "train", train)
        yield trained


def _make_weights(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))


def _train(job: TrainJob) -> TrainResult:
    """The files a training leaves; the weights depend on the data."""
    job.output.mkdir(parents=True)
    (job.output / "model.safetensors").write_bytes(job.fingerprint().encode())
    result = TrainResult(
        job=job.fingerprint(),
        output=job.output,
        weights=weights_digest(job.output),
        steps=1,
        examples=1,
        left_out=0,
        tokens=1,
        seconds=0.0,
        loss=1.0,
    )
    job.work.mkdir(parents=True)
    job.file.write_text(job.model_dump_json())
    job.report.write_text(result.model_dump_json())
    return result


if __name__ == "__main__":
    with with_stand_ins(int(sys.argv[1]), Path(sys.argv[2])):
        sys.exit(synth(*sys.argv[3:]))
