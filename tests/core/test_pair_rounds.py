"""Rounds that make pairs and train two roles: what is written, who answers next, who goes back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from synth.students.job import TrainJob
from tests.engine.conftest import student_server
from tests.support.pairs import PAIR_FLOW
from tests.support.recorded import synth, with_stand_ins


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server that knows every student and refiner of two rounds."""
    names = [name for n in (1, 2) for role in ("student", "refiner") for name in ("--model", f"{role}-{n}")]
    with student_server(*names) as port:
        yield port


@pytest.fixture
def run(port: int, tmp_path: Path) -> Callable[..., tuple[Path, list[TrainJob]]]:
    """A run of the pair flow with further settings; its folder and the trainings it asked for."""

    def call(*settings: str) -> tuple[Path, list[TrainJob]]:
        (tmp_path / "flow.yaml").write_text(PAIR_FLOW)
        more = [part for setting in settings for part in ("--set", setting)]
        with with_stand_ins(port, tmp_path / "weights") as trained:
            told = ("--runs", tmp_path, "--name", "run", "--quiet", *more)
            assert synth("run", tmp_path / "flow.yaml", *told) == 0
        return tmp_path / "run", trained

    return call


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def refused_texts(folder: Path, number: int) -> set[bool]:
    """Whether what was rejected in a round are numbers, as only a trained refiner says."""
    rows = lines(folder / f"rounds/{number}/data/train.jsonl")
    return {row["rejected"][0]["content"].isdigit() for row in rows}


def test_both_roles_learn_from_their_own_rows(run: Callable[..., tuple[Path, list[TrainJob]]]) -> None:
    """Two data sets, two trainings with their own settings, and in round 2 both go on from their adapters."""
    folder, trained = run()
    one = folder / "rounds/1"
    pairs, answers = (pq.read_table(one / "data" / name) for name in ("train.parquet", "refiner.parquet"))
    assert {"prompt", "chosen", "rejected"} <= set(pairs.column_names)
    assert {"prompt", "completion"} <= set(answers.column_names)
    assert pairs.num_rows == answers.num_rows == 6
    assert len(lines(one / "data/samples.jsonl")) == 12
    assert [job.train.objective for job in trained] == ["dpo", "sft"] * 2
    student, refiner = trained[:2]
    assert (student.work, student.output) == (one / "train", one / "student")
    assert (refiner.work, refiner.output) == (one / "refiner-train", one / "refiner")
    assert (refiner.data, refiner.adapter) == (one / "data/refiner.parquet", None)
    assert [job.adapter for job in trained[2:]] == [one / "student", one / "refiner"]
    assert refused_texts(folder, 1) == {False}
    assert refused_texts(folder, 2) == {True}, "the promoted refiner answers in round 2"
    plan = json.loads((folder / "rounds/2/plan.json").read_text())
    assert plan["learners"]["refiner"] != json.loads((one / "plan.json").read_text())["learners"]["refiner"]


def test_the_lint_is_told_and_drops_what_the_flow_says(
    run: Callable[..., tuple[Path, list[TrainJob]]], capsys: pytest.CaptureFixture[str]
) -> None:
    """The pair of twice the same answer is counted, kept out, and named in the card."""
    folder, _ = run("rounds=1")
    rejected = lines(folder / "rounds/1/data/rejected.jsonl")
    assert [r["reason"] for r in rejected] == ["identical"]
    assert rejected[0]["data"]["chosen"] == rejected[0]["data"]["rejected"]
    done = [e for e in lines(folder / "events.jsonl") if e.get("stage") == "curate"]
    assert done[0]["lint"]["pairs"] == 7
    assert done[0]["lint"]["found"]["identical"] == 1
    assert 0 < done[0]["lint"]["edit_distance"] < 1
    card = (folder / "rounds/1/data/README.md").read_text()
    assert "| identical | 1 |" in card and "Of 7 pairs looked at" in card
    assert "student, 6 examples; refiner, 6 examples" in card
    page = (folder / "report.html").read_text()
    assert "identical: 1 of 7" in page
    assert "the student learned from 6 samples" in " ".join(page.split()), "the refiner's are not its"
    assert synth("status", folder) == 0
    assert "pairs: 7; edit distance" in capsys.readouterr().out


def test_the_refiner_goes_back_with_the_student(run: Callable[..., tuple[Path, list[TrainJob]]]) -> None:
    """A round that is not let through leaves no trace in either role."""
    folder, trained = run("gate.alpha=0.000001")
    assert [json.loads((folder / f"rounds/{n}/gate.json").read_text())["decision"] for n in (1, 2)] == [
        "keep"
    ] * 2
    assert refused_texts(folder, 2) == {False}, "the refiner of round 1 answers no more"
    assert all(job.adapter is None for job in trained)


def test_always_promotes_and_says_so(run: Callable[..., tuple[Path, list[TrainJob]]]) -> None:
    """Papers that iterate without a gate: the figures are there, the next round goes on from this one."""
    folder, trained = run("gate.alpha=0.000001", "gate.promote=always")
    gate = json.loads((folder / "rounds/2/gate.json").read_text())
    assert gate["decision"] == "promote"
    assert "as the gate always does here" in gate["reason"] and "no gain" in gate["reason"]
    assert gate["p_value"] == 1
    assert trained[2].adapter == folder / "rounds/1/student"
    assert refused_texts(folder, 2) == {True}


def test_a_run_of_two_learners_is_replayed(
    run: Callable[..., tuple[Path, list[TrainJob]]], tmp_path: Path
) -> None:
    """From its recording alone: both trainings are taken over, nothing is asked."""
    folder, _ = run("rounds=1")
    flow = tmp_path / "flow.yaml"
    told = ("--runs", tmp_path, "--quiet", "--set", "rounds=1", "--replay", folder, "--name", "again")
    assert synth("run", flow, *told) == 0
    again = tmp_path / "again/rounds/1"
    for name in ("data/refiner.jsonl", "refiner/model.safetensors", "refiner-train/result.json", "gate.json"):
        assert (again / name).read_bytes() == (folder / "rounds/1" / name).read_bytes()


def test_all_weights_go_on_from_the_champion(run: Callable[..., tuple[Path, list[TrainJob]]]) -> None:
    """Round 2 trains the student of round 1, not the base model anew."""
    folder, trained = run("train.lora=null", "learners.refiner.lora=null", "gate.promote=always")
    assert [job.model for job in trained[2:]] == [folder / "rounds/1/student", folder / "rounds/1/refiner"]
    assert all(job.adapter is None for job in trained)
