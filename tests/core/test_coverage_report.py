"""A round's coverage is read back from its folder and shown as a tree."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from synth.cli.coverage import command
from synth.engine.runner import Result
from synth.errors import RunError
from synth.journal import Journal
from synth.records import Sample
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
    template = page.environment().get_template("coverage.html.j2")
    shown = str(template.module.covered(read))  # type: ignore[attr-defined]
    assert "5 items kept, 2 rejected" in shown
    assert "fermi: 5 kept of 1 type" in shown
    assert "0.90" in shown
    assert "how_<wbr>&lt;many&gt;" in shown
    assert "disagreed 2" in shown
    assert "no-task" not in shown
    assert "25" in shown


def test_a_round_without_coverage_shows_none(tmp_path: Path) -> None:
    """Most flows write none; a damaged file is no reason for a report to fail."""
    assert read_coverage(tmp_path) is None
    (tmp_path / "coverage.json").write_text("{")
    assert read_coverage(tmp_path) is None


def test_the_command_prints_the_table(tmp_path: Path) -> None:
    """A line a skill and, if wanted, a type; a round without coverage is an error with its cure."""
    (tmp_path / "rounds" / "1").mkdir(parents=True)
    with pytest.raises(RunError, match=r"no coverage\.json"):
        CliRunner().invoke(command, [str(tmp_path)], catch_exceptions=False)
    (tmp_path / "rounds" / "1" / "coverage.json").write_text(TOLD)
    lines = CliRunner().invoke(command, [str(tmp_path), "--types", "--markdown"]).output.splitlines()
    assert lines[2] == "| fermi | 5 | 2 | 71% | 0 | 0% | 0 |  |"
    assert lines[3] == "|   how_<many> | 5 | 2 | 71% | 0 | 0% | 42 | disagreed 2 |"
    assert lines[4].startswith("| all | 5 | 2 |")


async def test_samples_are_written_for_reading(tmp_path: Path) -> None:
    """A page a skill, types in turn, of a conversation the last turn alone, fences that hold."""
    made = [
        Sample.sft(
            [{"role": "user", "content": f"task {n} ```x```"}],
            f"answer {n}",
            seed_id=str(n),
            flow="agentinstruct",
            arm="fixed",
            round=1,
            family="fermi",
            skills=("fermi/rate" if n < 5 else "fermi/how_many",),
            meta={"item": str(n // 2), "source": "a.md:1-2", "refinement": ""},
        )
        for n in range(10)
    ]
    journal = Journal(tmp_path / "journal.db")
    journal.store_result("1/make", "s", 0, 10, 0, Result("s", made).dump())
    await journal.flush()
    journal.close()
    done = CliRunner().invoke(command, [str(tmp_path), "--to", str(tmp_path / "read"), "-n", "4"])
    assert done.output.startswith("1 pages")
    page = (tmp_path / "read" / "fermi.md").read_text()
    assert page.startswith("# Fermi\n\n4 of 5 samples.")
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        "## 1. how many",
        "## 2. rate",
        "## 3. how many",
        "## 4. rate",
    ]
    assert "````text\ntask" in page
    assert "answer 0" not in page
