"""Procedural prompts with constraints: plenty, different, repeatable, sensible and kept apart."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from synth.config import DataSource
from synth.data import normalise, overlap, question_texts, read_questions
from synth.data.instructions import SLOT, instructions
from synth.errors import DataError
from synth.records import Question
from synth.verify.constraints import CHECKERS, find_constraints, group


def draw(*families: str, exclude: tuple[str, ...] = (), **rest: Any) -> list[Question]:
    source = DataSource(source="instructions", families=families, **{"size": 20, **rest})
    return list(read_questions(source, base=Path(), exclude=exclude))


def test_the_file_knows_every_type_and_fills_every_slot() -> None:
    """A misspelt type or slot in the data file would be met only when it is drawn."""
    data = instructions()
    assert set(data.constraints) == set(CHECKERS)
    assert len(data.requests["open"]) >= 150
    every = [*data.requests["open"], *data.requests["closed"]]
    assert len(set(every)) == len(every)
    assert {name for request in every for name in SLOT.findall(request)} == set(data.slots)
    named = {name for kind, others in data.apart.items() for name in (kind, *others)}
    assert named <= {*CHECKERS, *map(group, CHECKERS)}


def test_prompts_are_different_repeatable_and_of_their_family() -> None:
    """All cheap types come in turn, `size` of each; a seed gives the same prompts again."""
    questions = draw()
    kinds = [kind for kind, entry in instructions().constraints.items() if entry.default]
    assert [question.family for question in questions] == kinds * 20
    assert len(question_texts(questions)) == len(questions)
    assert draw() == questions
    assert len(overlap(draw(seed=1), questions)) < len(questions) / 20
    for question in questions:
        [one] = question.meta["constraints"]
        assert question.skills == (one["type"],) == (question.family,)
        assert (question.answer, question.licence) == ("", "Apache-2.0")
        assert "{" not in question.question.replace("{}", "")


def test_constraints_go_together_and_are_all_said() -> None:
    """Up to three in a prompt, no two that exclude each other, each written out in full."""
    questions = draw(constraints=3)
    assert {len(question.meta["constraints"]) for question in questions} == {1, 2, 3}
    for question in questions:
        assert find_constraints(question.question) == question.meta["constraints"]
        pairs = product(question.skills, repeat=2)
        assert all(one == other or instructions().together(one, other) for one, other in pairs)
        assert len(set(question.skills)) == len(question.skills)


def test_a_least_number_of_constraints_is_kept_where_types_go_together() -> None:
    """Prompts that are seldom followed by chance; a type that goes with nothing else stays alone."""
    three = ("punctuation:no_comma", "startend:quotation", "detectable_format:title")
    questions = draw(*three, constraints=3, least_constraints=3)
    assert {len(question.meta["constraints"]) for question in questions} == {3}
    apart = draw("startend:end_checker", "detectable_content:postscript", constraints=2, least_constraints=2)
    assert {len(question.meta["constraints"]) for question in apart} == {1}
    with pytest.raises(ValidationError, match="raise constraints"):
        DataSource(source="instructions", constraints=1, least_constraints=2)


def test_exclusion_is_mutual_and_covers_groups() -> None:
    """What is written down one way holds both ways; a question by yes or no is asked as one."""
    data = instructions()
    json, title = "detectable_format:json_format", "detectable_format:title"
    assert not data.together(json, title) and not data.together(title, json)
    assert data.together("punctuation:no_comma", title)
    closed = draw("detectable_format:constrained_response")
    assert all(question.question.split(" Include")[0].endswith("?") for question in closed)


def test_families_name_types_and_groups() -> None:
    """A group stands for all its types, also for one that is left out by default."""
    assert {question.family for question in draw("startend", "punctuation:no_comma", size=2)} == {
        "startend:quotation",
        "startend:end_checker",
        "punctuation:no_comma",
    }
    assert len(draw("language", size=3)) == 3
    for wrong, right in (("startnd", "startend"), ("no_comma", "punctuation:no_comma")):
        with pytest.raises(DataError, match=wrong) as caught:
            draw(wrong)
        assert right in caught.value.cure


def test_held_out_prompts_are_not_drawn_again() -> None:
    """Training prompts share no text with the test set, in no spelling."""
    held_out = draw("punctuation", size=300)
    texts = tuple(question.question.upper() for question in held_out)
    train = draw("punctuation", size=300, exclude=texts)
    assert len(train) == 300 and not overlap(train, held_out)


def test_thousands_of_prompts_and_an_end() -> None:
    """A type without arguments has thousands of prompts, and says so when they are used up."""
    assert len({normalise(q.question) for q in draw("punctuation", size=3000)}) == 3000
    with pytest.raises(DataError, match="different prompts to give"):
        draw("detectable_format:constrained_response", size=3000)
