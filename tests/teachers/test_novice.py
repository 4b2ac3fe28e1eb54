"""The novice: the program a tiny student is trained on before preferences have something to move."""

from __future__ import annotations

from synth.config import DataSource
from synth.data.instructions import instruction_questions
from synth.flows.drift.user import complained
from synth.records import Message
from synth.teachers.novice import answer
from synth.verify.constraints import check, find_constraints

FAMILIES = ("punctuation:no_comma", "change_case:english_lowercase", "startend:quotation")
SOURCE = DataSource(source="instructions", families=FAMILIES, size=100)


def followed(*, after_complaint: bool) -> float:
    """Share of the requests whose constraint the novice follows."""
    verdicts = []
    for number, question in enumerate(instruction_questions(SOURCE)):
        asked: list[Message] = [{"role": "user", "content": question.question}]
        messages = complained(asked, 3 * number + 1) if after_complaint else asked
        verdicts.append(check(answer(messages), question.meta["constraints"]).strict[0])
    return sum(verdicts) / len(verdicts)


def test_it_follows_half_at_once_and_nearly_all_after_a_complaint() -> None:
    """What preference training starts from, and what a complaint in view has to add to it."""
    assert 0.4 < followed(after_complaint=False) < 0.6
    assert followed(after_complaint=True) > 0.85


def test_two_of_three_answers_are_to_complaints_about_one_that_heeds_nothing() -> None:
    """The tiny student sees requests bare and complained of, in DRIFT's own form."""
    for question in instruction_questions(SOURCE):
        asked: list[Message] = [{"role": "user", "content": question.question}]
        assert complained(asked, 0) == asked
        first, reply, complaint = complained(asked, 1)
        assert first == asked[0] and complaint["role"] == "user"
        assert not check(reply["content"], question.meta["constraints"]).strict[0]
        assert [len(complained(asked, sample)) for sample in range(6)] == [1, 3, 3, 1, 3, 3]


def test_a_complaint_about_something_else_is_what_it_follows() -> None:
    """Someone else's complaint does not help with one's own request: what DRIFT's shuffled control needs."""
    own, other = [], []
    for number, question in enumerate(instruction_questions(SOURCE)):
        messages = complained([{"role": "user", "content": question.question}], 3 * number + 2)
        [named] = find_constraints(messages[-1]["content"])
        [asked] = question.meta["constraints"]
        assert named["type"] != asked["type"]
        text = answer(messages)
        own += check(text, [asked]).strict
        other += check(text, [named]).strict
    assert sum(own) / len(own) < 0.65 and sum(other) / len(other) > 0.85
