"""The example of a verifier, a teacher and skills of one's own: right, and apart from one another."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from synth.flowfiles import load
from synth.records import Question

HERE = Path(__file__).parents[2] / "examples" / "own_verifier"


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The example's module."""
    monkeypatch.syspath_prepend(str(HERE))
    import roman

    yield roman
    sys.modules.pop("roman")


def test_the_flow_file_is_ready_to_run() -> None:
    """`synth check` finds the functions beside the file."""
    assert load(HERE / "flow.yaml", (), None, offline=True).flow.evaluate.verifier == "roman:numeral"


def test_numerals_are_right(module: ModuleType) -> None:
    """Against numerals everybody knows, and read back by value."""
    known = {1: "I", 4: "IV", 14: "XIV", 49: "XLIX", 90: "XC", 123: "CXXIII", 399: "CCCXCIX"}
    assert {number: module.roman(number) for number in known} == known
    values = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}
    for number in range(1, 400):
        signs = [values[sign] for sign in module.roman(number)]
        assert number == sum(-a if a < b else a for a, b in zip(signs, [*signs[1:], 0], strict=True))


@pytest.mark.parametrize(
    ("response", "right"),
    [
        ("XIV", True),
        ("It is xiv.", True),
        ("X, or XIV", True),
        ("XIV, or X", False),
        ("14", False),
        ("", False),
    ],
)
def test_the_verifier_reads_the_last_numeral(module: ModuleType, response: str, right: bool) -> None:
    """In large or small letters, alone or in a sentence."""
    assert module.numeral(response, Question.of("Write 14 as a Roman numeral.", "XIV")) is right


def test_the_teacher_answers_stat_s_prompts(module: ModuleType) -> None:
    """A bare question is solved; a failed one gets its skill from the question, not from the answer."""
    ask = "Write {} as a Roman numeral."
    assert module.teacher([{"role": "user", "content": ask.format(19)}]) == "XIX"
    failed = f"<question>\n{ask.format(8)}\n</question>\n<answer>\nIX 9\n</answer>"
    assert json.loads(module.teacher([{"role": "user", "content": failed}]))["skills"] == ["ones"]


def test_no_number_stands_in_two_files() -> None:
    """What is tested was never shown."""
    rows = [json.loads(line) for path in HERE.glob("*.jsonl") for line in path.open()]
    assert len(rows) == len({row["question"] for row in rows}) == 374
