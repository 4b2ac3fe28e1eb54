"""Curation in a run: reached from the flow file, counted in events, card and report."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import student_server
from tests.support.recorded import FLOW, synth, with_stand_ins

JUDGED = """
import json

def judge(messages):
    text = messages[-1]["content"]
    answer = text.rpartition("<answer>")[2].partition("</answer>")[0]
    poor = "poor" in answer or "<first>" not in text and "41" in answer
    return json.dumps({"reason": "so", "score": 1 if poor else 5, "better": "first"})
"""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with student_server() as port:
        yield port


@pytest.fixture
def run(port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """A run of the small STAT flow with this `curate:` section; its folder."""
    monkeypatch.chdir(tmp_path)

    def call(curate: str, *more: str) -> Path:
        Path("flow.yaml").write_text(f"{FLOW}{curate}\n")
        with with_stand_ins(port, tmp_path / "weights"):
            assert synth("run", "flow.yaml", "--runs", tmp_path, "--quiet", *more) == 0
        return tmp_path / "flow"

    return call


def curated(run: Path) -> dict[str, Any]:
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    return next(event for event in events if event.get("stage") == "curate" and "steps" in event)


def test_defaults_drop_repetitions_alone(run: Callable[..., Path]) -> None:
    """Each step is in the events, the card and the report."""
    folder = run("")
    found = curated(folder)
    assert set(found["reasons"]) <= {"duplicate", "over-budget"}
    steps = found["steps"]
    assert list(steps) == [
        *("held-out", "private", "pairs", "duplicates", "format", "near-duplicates", "budget"),
    ]
    assert steps["held-out"]["seen"] == found["items"]
    assert steps["budget"]["kept"] == found["kept"] > 0
    card = (folder / "rounds/1/data/README.md").read_text()
    assert f"| held-out | {found['items']} | {found['items']} | 0 |" in card
    report = (folder / "report.html").read_text()
    assert "Curation, step by step" in report and "near-duplicates" in report


def test_markers_and_terms_are_told_of(run: Callable[..., Path]) -> None:
    """Markers are counted and stand beside the prompt; samples and card name what the models' terms are."""
    folder = run("curate: {markers: {by: [skill], drop_all: 0, drop_each: 0}}")
    tally = curated(folder)["steps"]["markers"]
    assert tally["changed"] == tally["kept"] > 0
    rows = [json.loads(line) for line in (folder / "rounds/1/data/train.jsonl").read_text().splitlines()]
    assert all(row["markers"].startswith("[skill: ") for row in rows)
    assert not any("[skill: " in row["prompt"][-1]["content"] for row in rows)
    samples = [json.loads(line) for line in (folder / "rounds/1/data/samples.jsonl").read_text().splitlines()]
    assert all(sample["terms"] for sample in samples if sample["lineage"]["calls"])
    assert "terms on what the models write" in (folder / "rounds/1/data/README.md").read_text()


def test_a_test_set_of_ones_own_is_kept_out(run: Callable[..., Path], tmp_path: Path) -> None:
    """Named by its path; what was made of its questions is gone, and nothing else."""
    before = run("")
    samples = [json.loads(line) for line in (before / "rounds/1/data/samples.jsonl").read_text().splitlines()]
    taken = samples[0]["prompt"][-1]["content"]
    Path("public.jsonl").write_text(json.dumps({"question": taken.upper()}) + "\n")
    folder = run("curate: {decontaminate: [public.jsonl]}", "--fresh")
    rejected = [
        json.loads(line) for line in (folder / "rounds/1/data/rejected.jsonl").read_text().splitlines()
    ]
    gone = [row for row in rejected if row["reason"] == "contaminated"]
    assert gone and {row["data"]["prompt"][-1]["content"] for row in gone} == {taken}
    assert all("public.jsonl" in row["detail"] for row in gone)


def test_a_judge_is_calibrated_filters_and_is_told_of(run: Callable[..., Path], tmp_path: Path) -> None:
    """Its stage is in the journal, its verdict in card and report."""
    (tmp_path / "judging.py").write_text(JUDGED)
    gold = [
        {"prompt": f"{n}?", "answer": kind, "good": kind == "fine"}
        for n in range(5)
        for kind in ("fine", "poor")
    ]
    Path("gold.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in gold))
    section = "curate: {judge: {gold: gold.jsonl}}"
    folder = run(section, "--set", 'models.judge={program: "judging:judge"}', "--name", "flow")
    found = curated(folder)
    assert found["judge"]["filters"] and found["judge"]["agreement"] == 1
    assert found["judge"]["flips"] == 1 and not found["judge"]["filters_pairs"]
    dropped = found["steps"]["judge"]["dropped"].get("poor", 0)
    samples = [json.loads(line) for line in (folder / "rounds/1/data/samples.jsonl").read_text().splitlines()]
    assert all({v["name"] for v in s["verdicts"]} >= {"quality", "task", "difficulty"} for s in samples)
    assert all("41" not in s["completion"][0]["content"] for s in samples)
    assert found["reasons"].get("poor", 0) == dropped
    assert "The judge (judge): agrees with 10 gold labels" in (folder / "rounds/1/data/README.md").read_text()
    assert "agrees with 10 gold labels" in (folder / "report.html").read_text()


RECIPE = """
import json, re

def judge(messages):
    text = messages[-1]["content"]
    if "input_quality" not in text:
        answer = text.rpartition("<answer>")[2].partition("</answer>")[0]
        return json.dumps({"score": 1 if "poor" in answer else 5, "better": "first"})
    level = "poor" if "41" in text else "good"
    tags = {"category": "maths", "input_quality": level, "difficulty": "easy", "language": "en", "safe": True}
    return json.dumps(tags)
"""


def test_the_recipe_and_the_alignment_run_and_are_counted(run: Callable[..., Path], tmp_path: Path) -> None:
    """From the flow file: their stages ask the roles, drops are in the events, verdicts in the samples."""
    (tmp_path / "recipe_judge.py").write_text(RECIPE)
    gold = [
        {"prompt": f"{n}?", "answer": kind, "good": kind == "fine"}
        for n in range(5)
        for kind in ("fine", "poor")
    ]
    Path("gold.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in gold))
    section = "curate: {judge: {gold: gold.jsonl}, recipe: {}, alignment: {samples: 1, max_tokens: 16}}"
    folder = run(section, "--set", 'models.judge={program: "recipe_judge:judge"}', "--name", "flow")
    steps = curated(folder)["steps"]
    assert list(steps)[-4:] == ["judge", "recipe", "alignment", "budget"]
    samples = [json.loads(line) for line in (folder / "rounds/1/data/samples.jsonl").read_text().splitlines()]
    assert all({v["name"] for v in s["verdicts"]} >= {"quality", "category", "turns"} for s in samples)
    assert set(steps["recipe"]["dropped"]) <= {"low-input-quality"}
    assert set(steps["alignment"]["dropped"]) <= {"less-aligned"}


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("curate: {nearby: {}}", "curate.nearby"),
        ("curate: {near: {treshold: 0.8}}", "threshold"),
        ("curate: {decontaminate: [missing.jsonl]}", "there is no file or folder missing.jsonl"),
        ("curate: {judge: {gold: g.jsonl}}", "there is no models.judge"),
        ("curate: {alignment: {role: pupil}}", "there is no models.pupil"),
        ("curate: {balance: {by: difficulty, most: 3}}", "write judge: as well"),
        ("curate: {language: {allow: [English]}}", "write codes such as [en, de]"),
        ("curate: {private: {email: hide}}", "curate.private.email"),
    ],
)
def test_mistakes_are_told_before_anything_starts(
    section: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With their place and the cure."""
    (tmp_path / "flow.yaml").write_text(f"{FLOW}{section}\n")
    assert synth("check", tmp_path / "flow.yaml") == 2
    assert said in capsys.readouterr().err
