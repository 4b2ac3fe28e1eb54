"""The warm start: what the student is taught before round 1, and that it is done once."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from synth.config import FlowFile
from synth.data import normalise, read_questions
from synth.errors import DataError, ModelError
from synth.progress import make_progress
from synth.records import Message
from synth.rounds import prepare, warm
from synth.students.job import TrainJob
from synth.verify.sections import headings

PATH = Path("flow.yaml")


def flow_file(**changes: Any) -> FlowFile:
    """A flow file whose warm start is two answers to each of six topics."""
    warm_start = {"data": "warm", "program": "synth.teachers.sections:one_to_four", "samples": 2}
    return FlowFile.model_validate(
        {
            "flow": "delta",
            "models": {"student": {"model": {"scratch": "tiny"}}},
            "data": {
                "test": {"source": "topics", "split": "test", "size": 4},
                "warm": {"source": "topics", "size": 6},
            },
            "evaluate": {"system": "Be short."},
            "warm_start": {**warm_start, **changes},
        }
    )


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[TrainJob]:
    """Training jobs that were asked for, in the order they came; the cache is a folder of the test."""
    seen: list[TrainJob] = []

    async def train(job: TrainJob, on_progress: Callable[..., None]) -> None:
        seen.append(job)

    monkeypatch.setattr(warm, "train", train)
    monkeypatch.setattr(warm, "cache_root", lambda: tmp_path / "cache")
    monkeypatch.setattr(prepare, "cache_root", lambda: tmp_path / "cache")
    return seen


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A folder that looks like a model's weights."""
    folder = tmp_path / "base"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


async def test_rows_are_the_programs_answers_as_the_student_is_asked() -> None:
    """System message and prompt as in every exam; samples differ; no test question is among them."""
    flow = flow_file()
    rows: list[Any] = await warm.warm_rows(flow, PATH)
    assert len(rows) == 12
    assert rows[0]["prompt"] == rows[1]["prompt"] and rows[0]["completion"] != rows[1]["completion"]
    assert rows[0]["prompt"][0] == {"role": "system", "content": "Be short."}
    assert {1 <= len(headings(row["completion"][0]["content"])) <= 4 for row in rows} == {True}
    test = {normalise(q.question) for q in read_questions(flow.data["test"], base=Path())}
    assert test.isdisjoint(normalise(row["prompt"][-1]["content"]) for row in rows)


async def test_the_warm_student_is_kept_for_the_same_weights_rows_and_settings(
    base: Path, jobs: list[TrainJob]
) -> None:
    """Other settings or other weights are another student; a save interval is not."""
    progress = make_progress(quiet=True)
    settings = {"lora": None, "learning_rate": 2e-5}
    first = await warm.warmed(base, flow_file(), PATH, progress)
    again = await warm.warmed(base, flow_file(train={**settings, "save_steps": 7}), PATH, progress)
    other = await warm.warmed(base, flow_file(train={**settings, "epochs": 2}), PATH, progress)
    (base / "model.safetensors").write_bytes(b"other weights")
    trained = await warm.warmed(base, flow_file(), PATH, progress)
    assert first == again
    assert len({first, other, trained}) == 3
    assert [job.model for job in jobs] == [base] * 4
    assert all(job.train.lora is None and job.adapter is None for job in jobs)
    assert len(jobs[0].data.read_text().splitlines()) == 12


async def test_a_scratch_student_has_its_base_training_on_the_warm_data(
    jobs: list[TrainJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It needs no task families then, and no second training."""
    built: list[Path] = []

    async def build(spec: object, rows: Path, *rest: object) -> None:
        built.append(rows)

    monkeypatch.setattr(prepare, "build_scratch", build)
    folders = await prepare.prepare_folders(flow_file(), PATH, make_progress(quiet=True))
    assert folders["student"] == built[0].parent / "model"
    assert jobs == []
    row = json.loads(built[0].read_text().splitlines()[0])
    assert headings(row["completion"][0]["content"])


def second(messages: Sequence[Message], sample: int) -> list[Message]:
    """Every second answer is one after another turn."""
    turn: Message = {"role": "assistant", "content": "What?"}
    return [*messages, turn, messages[-1]] if sample % 2 else list(messages)


async def test_a_scratch_student_learns_bare_questions_before_dialogues(
    jobs: list[TrainJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From nothing, long rows teach hardly anything: the short ones come first, then a warm start as of any
    other model, with the dialogues among them."""
    built: list[Path] = []

    async def build(spec: object, rows: Path, output: Path, *rest: object) -> None:
        built.append(rows)
        output.mkdir()
        (output / "model.safetensors").write_bytes(b"weights")

    monkeypatch.setattr(prepare, "build_scratch", build)
    flow = flow_file(dialogue=f"{__name__}:second")
    folders = await prepare.prepare_folders(flow, PATH, make_progress(quiet=True))
    [job] = jobs
    assert (job.model, job.output) == (built[0].parent / "model", folders["student"])
    turns = [
        {len(json.loads(line)["prompt"]) for line in rows.read_text().splitlines()}
        for rows in (built[0], job.data)
    ]
    assert turns == [{2}, {2, 4}]


async def test_faults_of_the_warm_start_name_the_cure() -> None:
    """A program that does not know the questions, and data that are not there."""
    with pytest.raises(ModelError, match="gave no answer") as failed:
        await warm.warm_rows(flow_file(program="synth.teachers.oracle:task_teacher"), PATH)
    assert "data.warm" in failed.value.cure
    flow = flow_file()
    without = flow.model_copy(update={"data": {}})
    with pytest.raises(DataError, match=r"data\.warm"):
        await warm.warm_rows(without, PATH)
