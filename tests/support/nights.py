"""Nights without torch or servers: a student is a file of numbers, and training writes the next one.

A student answers a share of each subject's questions right, the same questions always. What its
training makes of it stands in a script, one line a training. All else is the real thing.

python -m tests.support.nights FOLDER        (one night; the script may kill the process)
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from synth.config import FlowFile, Loaded, ModelSpec, load_flow
from synth.engine import Flow, FlowParams
from synth.engine.folder import RunFolder
from synth.engine.session import Session
from synth.errors import EndpointError
from synth.flows import load_flow_module
from synth.flows.answering import question_messages
from synth.nightly import Summary, read_night, run_night
from synth.progress import Progress, make_progress
from synth.records import Message, Sample
from synth.rounds import lesson, prepare
from synth.students.job import TrainJob, TrainResult, weights_digest
from synth.teachers.model import Model
from synth.teachers.program import ProgramEndpoint
from synth.teachers.team import Team

__all__ = ["build", "load", "night", "place", "skill", "stand_ins"]

FLOW = """
flow: tests.support.nights:build
models:
  student: {model: ./base}
data:
  test: {source: test.jsonl}
  guard: {source: guard.jsonl}
  pool: {source: pool.jsonl}
train: {lora: null}
gate:
  guards: {guard: {data: guard, margin: 0.1}}
"""
NIGHT = "flows: [plain.yaml]\nkeep: {champions: 2}\n"
SUBJECTS = {"test": 40, "guard": 40, "pool": 4}


def build() -> Flow:
    """The flow: the pool's own answers."""
    return Flow("plain", FlowParams, generate, roles=("student",), sources=("pool", "test"))


async def generate(session: Session) -> Iterable[Sample]:
    """A sample a question of the pool."""
    facts: dict[str, Any] = {"flow": "plain", "arm": "fixed", "round": session.round}
    return [
        Sample.sft(question_messages(q.question, session.flow.evaluate), q.answer, seed_id=q.id, **facts)
        for q in session.questions("pool")
    ]


def place(folder: Path, script: Sequence[str]) -> Path:
    """A folder with flow, data, base student and script; returns the night file."""
    folder.mkdir(parents=True, exist_ok=True)
    for subject, size in SUBJECTS.items():
        rows = [{"question": f"{subject} {n}", "answer": f"right {n}"} for n in range(size)]
        (folder / f"{subject}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (folder / "plain.yaml").write_text(FLOW)
    (folder / "script").write_text("\n".join(script))
    _save(folder / "base", {"test": 0.2, "guard": 0.8})
    (folder / "nightly.yaml").write_text(NIGHT)
    return folder / "nightly.yaml"


def load(path: Path, overrides: Sequence[str], profile: str | None) -> Loaded:
    """A flow file, without a look for its models."""
    return load_flow(
        path, overrides=overrides, profile=profile, params=lambda name: load_flow_module(name).params
    )


def night(file: Path) -> Summary:
    """One night, in the folder `nights` beside the file."""
    work = run_night(read_night(file), file, file.parent / "nights", load, make_progress(quiet=True))
    with stand_ins(file.parent):
        return asyncio.run(work)


def skill(weights: Path) -> dict[str, float]:
    """Subject -> share of its questions a student gets right."""
    found: dict[str, float] = json.loads((weights / "model.safetensors").read_bytes())
    return found


@contextmanager
def stand_ins(folder: Path) -> Iterator[None]:
    """Students that are files, and trainings by the script in `folder`."""

    class Files(Team):
        async def _local(self, role: str, spec: ModelSpec) -> Model:
            self.now = self._folders[role]

            def answer(messages: Sequence[Message]) -> str:
                subject, _, number = messages[-1]["content"].partition(" ")
                luck = crc32(number.encode()) % 1000 / 1000
                return f"right {number}" if luck < skill(self.now).get(subject, 0) else "wrong"

            version = weights_digest(self.now)
            return Model(role, "file", version, "base", ProgramEndpoint(answer), self._journal)

        async def swap_in(self, role: str, weights: Path, version: str, name: str) -> None:
            self.now = weights
            self.models[role].become(name, version)

        async def swap_back(self, role: str, weights: Path | None, version: str, served: str) -> None:
            self.now = weights or self._folders[role]
            self.models[role].become(served, version)

    async def folders(flow: FlowFile, path: Path, progress: Progress) -> dict[str, Path]:
        return {"student": (path.parent / str(flow.models["student"].model)).resolve()}

    async def train(job: TrainJob, on_progress: Callable[[dict[str, Any]], None]) -> TrainResult:
        return job.finished() or _train(job, folder / "script")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepare, "Team", Files)
        patch.setattr(prepare, "prepare_folders", folders)
        patch.setattr(lesson, "train", train)
        yield


def _train(job: TrainJob, script: Path) -> TrainResult:
    """The script's first line: changes of the student's skill, or a fault; it is used up."""
    line, _, rest = script.read_text().partition("\n")
    script.write_text(rest)
    if line == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if line == "endpoint":
        raise EndpointError("the endpoint refuses every call", "wait")
    if line == "disk":
        raise OSError(errno.ENOSPC, "No space left on device")
    after = skill(job.model)
    for change in line.split():
        subject, _, by = change.partition("=")
        after[subject] = min(1.0, after[subject] + float(by))
    _save(job.output, after)
    result = TrainResult(
        job=job.fingerprint(), output=job.output, weights=weights_digest(job.output),
        steps=1, examples=1, left_out=0, tokens=1, seconds=0.0, loss=1.0,
    )  # fmt: skip
    RunFolder.write_json(job.file, job)
    RunFolder.write_json(job.report, result)
    return result


def _save(folder: Path, skills: dict[str, float]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_text(json.dumps(skills))
    (folder / "config.json").write_text("{}")
    tokenizer = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))


if __name__ == "__main__":
    sys.exit(night(Path(sys.argv[1])).exit_code)
