"""Whether preference pairs still pull: the log's figures, and the table of them in the report."""

from __future__ import annotations

import json
from pathlib import Path

from synth.report import write_report
from synth.runs.diagnostics import FIGURES, trends
from synth.runs.summary import summarize
from synth.students.progress import FIGURES as LOGGED
from tests.core.fake_run import build


def log(path: Path, lines: list[dict[str, float]]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_a_figure_is_the_mean_of_the_first_and_of_the_last_tenth(tmp_path: Path) -> None:
    """One step is a small sample: a trend told from two single steps would be noise."""
    lines = [{"step": n, "loss": 0.6, "margin": float(n), "pull": 0.5, "grad_norm": 2.0} for n in range(40)]
    margin, pull, norm = trends(log(tmp_path / "log.jsonl", lines))
    assert (margin.name, margin.first, margin.last) == ("margin", 1.5, 37.5)
    assert (pull.first, pull.last, norm.last) == (0.5, 0.5, 2.0)


def test_other_trainings_have_none(tmp_path: Path) -> None:
    """Supervised training has no pairs; a single step has no trend; nor has a log that is not there."""
    assert trends(log(tmp_path / "sft.jsonl", [{"step": n, "loss": 1.0} for n in range(9)])) == []
    assert trends(log(tmp_path / "one.jsonl", [{"margin": 1.0}])) == []
    assert trends(tmp_path / "none.jsonl") == []


def test_the_figures_are_those_that_training_logs() -> None:
    """A figure renamed in the log would silently be missing from the report."""
    assert set(FIGURES) - {"grad_norm"} <= set(LOGGED["dpo"])


def test_the_report_shows_them(tmp_path: Path) -> None:
    """The paper's diagnostics can be read without opening a log."""
    folder = build(tmp_path / "run", rounds=1)
    lines = [{"step": n, "loss": 0.6, "margin": n / 8, "gradient_difference": 9 - n} for n in range(9)]
    log(folder / "rounds/1/train/log.jsonl", lines)
    assert [trend.name for trend in summarize(folder).rounds[0].trends] == ["margin", "gradient_difference"]
    page = write_report(folder).read_text("utf-8")
    assert "Do the pairs still pull?" in page and FIGURES["gradient_difference"] in page
