"""The word problems of the examples: right, evenly spread, and apart from one another."""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal
from itertools import combinations
from pathlib import Path

import pytest

from synth.config import check_files, load_flow
from synth.data import normalise, overlap, read_questions
from synth.flowfiles import params_of
from synth.records import Question
from synth.verify import extract_answer, same_answer

FLOW = Path(__file__).parents[2] / "examples" / "word_problems" / "flow.yaml"
SIZES = {"pool": 60, "profile": 30, "test": 40}
NUMBER = r"\d+(?:\.\d+)?"
CALCULATION = re.compile(rf"({NUMBER}(?: [-+*/] {NUMBER})+) = (-?{NUMBER})")


@pytest.fixture(scope="module")
def sets() -> dict[str, list[Question]]:
    """The three files as the flow reads them."""
    data = load_flow(FLOW, params=params_of).flow.data
    return {name: list(read_questions(source, base=FLOW.parent)) for name, source in data.items()}


def test_the_flow_file_finds_its_data_from_any_folder(tmp_path: Path) -> None:
    """A source is named relative to the flow file, so the example runs from a user's own folder."""
    assert check_files(load_flow(FLOW, params=params_of), tmp_path) == []


def test_every_file_has_its_size_and_an_even_spread_of_skills(sets: dict[str, list[Question]]) -> None:
    """The gate's and the profile's counts by skill mean something only if no skill is rare."""
    assert {name: len(questions) for name, questions in sets.items()} == SIZES
    for questions in sets.values():
        counts = Counter(question.skills for question in questions)
        assert len(counts) == 6
        assert max(counts.values()) - min(counts.values()) <= 1


def test_the_pool_has_every_skill_that_is_asked_for(sets: dict[str, list[Question]]) -> None:
    """A missing skill without a pool question would give no training example."""
    skills = {name: {skill for q in questions for skill in q.skills} for name, questions in sets.items()}
    assert skills["profile"] | skills["test"] <= skills["pool"]


def test_answers_are_numbers_that_their_solutions_arrive_at(sets: dict[str, list[Question]]) -> None:
    """A solution is what the student learns to write, so it must be read as the known answer."""
    for question in (question for questions in sets.values() for question in questions):
        assert Decimal(question.answer).is_finite()
        assert question.solution.endswith(f"The answer is {question.answer}.")
        assert same_answer(extract_answer(question.solution, question), question.answer, question)
        assert question.licence == "CC0-1.0"


def test_every_calculation_in_a_solution_holds(sets: dict[str, list[Question]]) -> None:
    """A slip in the arithmetic would be taught to the student."""
    for question in (question for questions in sets.values() for question in questions):
        calculations = CALCULATION.findall(question.solution)
        assert len(calculations) == question.solution.count("=")
        for left, right in calculations:
            assert eval(left) == pytest.approx(float(right)), question.solution


def test_no_question_repeats_another(sets: dict[str, list[Question]]) -> None:
    """What is tested must not have been trained on, not even in part: no eight words in a row."""
    everything = [question for questions in sets.values() for question in questions]
    assert len({normalise(question.question) for question in everything}) == len(everything)
    for one, other in combinations(sets.values(), 2):
        assert overlap(one, other) == []
        assert not _runs(one) & _runs(other)


def _runs(questions: list[Question], length: int = 8) -> set[tuple[str, ...]]:
    """All runs of so many words in a row."""
    runs: set[tuple[str, ...]] = set()
    for question in questions:
        words = re.findall(r"\w+", normalise(question.question))
        runs.update(tuple(words[at : at + length]) for at in range(len(words) - length + 1))
    return runs
