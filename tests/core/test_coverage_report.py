"""A round's coverage is read back from its folder and shown as a tree."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader

from synth import figures
from synth.report import page
from synth.runs.coverage import read_coverage

TOLD = """{"kept": 5, "rejected": 2, "yield": 0.714, "entropy": 0.5, "reasons": {"disagreed": 2}, "skills":
{"fermi": {"kept": 5, "rejected": 2, "yield": 0.714, "entropy": 0.9, "transformations": {"scene": 5}, "types":
{"how_<many>": {"kept": 5, "rejected": 2, "yield": 0.714, "difficulty": 0.25, "words": 41.5, "origin": "ours",
"reasons": {"disagreed": 2, "no-task": 0}}}}}}"""


def test_the_tree_is_shown_with_its_numbers(tmp_path: Path) -> None:
    """Escaped, with reasons by name, and no reason that never occurred."""
    (tmp_path / "coverage.json").write_text(TOLD)
    read = read_coverage(tmp_path)
    assert read is not None
    environment = Environment(loader=FileSystemLoader(page.HERE / "templates"), autoescape=True)
    environment.filters |= {name: getattr(figures, name) for name in figures.__all__}
    environment.filters["wrap"] = page._wrap
    shown = str(environment.get_template("coverage.html.j2").module.covered(read))  # type: ignore[attr-defined]
    assert "5 items kept, 2 rejected" in shown
    assert "fermi: 5 kept of 1 types, evenness 0.90" in shown
    assert "how_<wbr>&lt;many&gt;" in shown
    assert "disagreed 2" in shown
    assert "no-task" not in shown
    assert "25" in shown


def test_a_round_without_coverage_shows_none(tmp_path: Path) -> None:
    """Most flows write none; a damaged file is no reason for a report to fail."""
    assert read_coverage(tmp_path) is None
    (tmp_path / "coverage.json").write_text("{")
    assert read_coverage(tmp_path) is None
