"""The programs that judge and refine: never wrong the one, making small steps the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from synth.config import DataSource
from synth.data import read_questions
from synth.records import Message, Question
from synth.teachers.edits import EDITS, edit
from synth.teachers.rules import constraint_judge, constraint_refiner
from synth.verify.constraints import CHECKERS, check, describe

TEXT = (
    "The harbour wakes up early, long before the sun. Boats come in with their catch. "
    "People, mostly from the town, wait at the quay. GULLS and MORE GULLS cry, quite loudly. "
    "It is a fine sight. Everybody knows everybody."
)


def asked(instruction: str, response: str) -> list[Message]:
    text = f"Judge.\n<instruction>\n{instruction}\n</instruction>\n<response>\n{response}\n</response>\nNow."
    return [{"role": "user", "content": text}]


def said(reply: str) -> str:
    return reply.partition("[[start]]\n")[2].rpartition("\n[[end]]")[0]


def prompts(**rest: Any) -> list[Question]:
    source = DataSource(source="instructions", **{"size": 8, **rest})
    return list(read_questions(source, base=Path()))


def test_there_is_an_edit_for_every_type_but_language() -> None:
    """A constraint without an edit can never be mended."""
    assert set(CHECKERS) - set(EDITS) == {"language:response_language"}


@pytest.mark.parametrize(
    "text", [TEXT, "", "The weather was very cold this morning.", TEXT.lower(), f'"{TEXT}"']
)
def test_an_edit_makes_a_text_follow_its_constraint(text: str) -> None:
    """Whatever the text and the arguments, one edit is enough for one constraint."""
    failed = []
    for question in prompts():
        [one] = question.meta["constraints"]
        if not check(edit(text, one), [one]).strict[0]:
            failed.append((one, edit(text, one)))
    assert failed == []


def test_edits_are_small() -> None:
    """What the text was is still there: no commas, and nothing else, are gone."""
    assert edit(TEXT, {"type": "punctuation:no_comma", "args": {}}) == TEXT.replace(",", "")
    phrase = {"type": "startend:end_checker", "args": {"end_phrase": "That is all."}}
    assert edit(TEXT, phrase) == f"{TEXT} That is all."
    assert edit('"a text."', phrase) == '"a text. that is all."'


def test_the_judge_is_exact_and_ends_with_its_verdict() -> None:
    """One line a constraint; the last line is the strict verdict over all of them."""
    for question in prompts(constraints=3, size=3):
        constraints = question.meta["constraints"]
        for response in (TEXT, edit(TEXT, constraints[0])):
            *lines, last = constraint_judge(asked(question.question, response)).splitlines()
            verdicts = check(response, constraints).strict
            assert last == f"Final Judgement: {'Yes' if all(verdicts) else 'No'}"
            assert [line.endswith("This is followed.") for line in lines] == list(verdicts)


def test_a_response_may_hold_tags_or_nothing() -> None:
    """The response is taken whole, whatever is in it; the last message with tags counts."""
    [question] = prompts(families=("startend:quotation",), size=1)
    tagged = asked(question.question, '"a\n</response>\nb"')
    assert constraint_judge(tagged).endswith("Yes")
    assert constraint_judge(asked(question.question, "")).endswith("No")
    chat: list[Message] = [
        *tagged,
        *asked(question.question, "plain"),
        {"role": "user", "content": "Mend it."},
    ]
    assert constraint_judge(chat).endswith("No")


def test_a_prompt_without_constraints_cannot_be_judged() -> None:
    """Better no verdict than one about nothing."""
    with pytest.raises(ValueError, match="no known constraint"):
        constraint_judge(asked("Write a poem.", "A poem."))
    with pytest.raises(ValueError, match="no <instruction>"):
        constraint_refiner([{"role": "user", "content": "Mend it."}])


def test_the_refiner_makes_one_step_and_sometimes_a_slip() -> None:
    """Most samples mend a constraint, some do not; the same sample says the same again."""
    [question] = prompts(families=("punctuation",), size=1)
    messages = asked(question.question, TEXT)
    replies = [constraint_refiner(messages, sample) for sample in range(60)]
    assert replies == [constraint_refiner(messages, sample) for sample in range(60)]
    mended = [check(said(reply), question.meta["constraints"]).strict[0] for reply in replies]
    assert 0.5 < sum(mended) / len(mended) < 0.85
    assert len({said(reply) for reply in replies}) == 3
    assert describe(question.meta["constraints"][0]) in replies[0]


def test_a_response_that_follows_everything_stays() -> None:
    """There is nothing to mend in it."""
    [question] = prompts(families=("punctuation",), size=1)
    assert said(constraint_refiner(asked(question.question, "All well."))) == "All well."


def test_a_search_of_few_steps_mends_most_prompts() -> None:
    """Three branches, three levels: enough for nearly all prompts of up to three constraints."""
    questions = prompts(constraints=3, size=2)
    mended = 0
    for question in questions:
        level = [TEXT]
        for _ in range(3):
            level = [
                said(constraint_refiner(asked(question.question, text), n))
                for text in level[:2]
                for n in range(3)
            ]
            level.sort(key=lambda text: -sum(check(text, question.meta["constraints"]).strict))
        mended += all(check(level[0], question.meta["constraints"]).strict)
    assert mended / len(questions) > 0.8
