"""Every kind of task the program teacher writes is sound, and its own answer passes the type's checks."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from synth.flows.agentinstruct.check import wrong
from synth.flows.agentinstruct.forms import FORMS
from synth.flows.agentinstruct.instruct import fault_of
from synth.flows.agentinstruct.item import Item
from synth.flows.agentinstruct.params import Params
from synth.flows.agentinstruct.simulate import Api, call
from synth.flows.agentinstruct.skill import Skill, load_skills
from synth.teachers.bookworm import TEXTS, WRITE, functions, puzzles, talks
from synth.teachers.bookworm.answers import respond
from synth.teachers.bookworm.estimates import START, estimated
from synth.teachers.bookworm.order import rules

PROSE = """# Harbours

A harbour is a place on the coast that shelters ships from the waves. Every harbour needs a pilot, a
crane and a gate of steel. The pilot shows the captain the channel at night. Ships wait outside because
the tide is low in the morning. About 40 boats begin their way at the pier, and 12 of them return the
same day. The crane lifts boxes, barrels and bags. Each captain pays at the office of the harbour, and
the harbour keeps a list of the fees. See `tides` and `fees` in the table.

| port | boats | crane |
|---|---|---|
| Bergen | 12 | yes |
| Oslo | 7 | no |
"""
CODE = '''def halve(number: int) -> float:
    """Half of a whole number, as a decimal one.

    >>> halve(4)
    2.0
    >>> halve(7)
    3.5
    """
    return number / 2


def shout(text: str, times: int) -> str:
    """A text in capitals, said several times over.

    >>> shout("ho", 2)
    'HOHO'
    >>> shout("a", 3)
    'AAA'
    """
    return text.upper() * times
'''
SKILLS = load_skills((), Path())
PLACE = {kind.name: skill for skill in SKILLS.values() for kind in skill.types}
TALKING = {"writing_together", "changing_mind"}


def text_for(skill: Skill, name: str) -> str:
    """What a task of the type is about, as the flow would have it."""
    if skill.skill == "tool_use":
        return json.dumps({"apis": functions.described(CODE)})
    if name == "kind_of_text":
        return PROSE.partition("\n| port")[0]
    raw = CODE if skill.skill == "coding" or name == "function_signature" else PROSE
    made = next((part.name for part in skill.transformations if part.name in TEXTS), "")
    return TEXTS[made](raw) if made else raw


def drafts(name: str) -> list[Item]:
    """The tasks of a type, arranged as the student sees them."""
    skill = PLACE[name]
    kind, text = skill.type(name), text_for(skill, name)
    form = FORMS[kind.form]
    return [
        Item(kind, form.arrange(form.draft.model_validate(written)), text) for written in WRITE[name](text)
    ]


@pytest.mark.parametrize("name", sorted(set(WRITE) - TALKING - set(functions.WRITERS)))
async def test_a_task_is_sound_and_so_is_its_answer(name: str) -> None:
    """Every type has tasks for these two texts, none of which is faulty, and the answer found in a
    call of its own passes."""
    items = drafts(name)
    assert items
    for item in items:
        draft: Any = item.draft
        if item.type.form == "cited":
            draft = draft.model_copy(update={"documents": ["Other words.", item.text]})
        assert item.form.fault(draft, item.text) == ""
        shown = item.form.show(draft)
        said = estimated("", shown) if shown.startswith(START) else respond(item.text, shown)
        answer = item.form.answer.model_validate(said)
        assert answer.answerable
        assert await wrong(Item(item.type, draft, item.text), answer, Params().sandbox) == ""
        assert item.form.tell(answer, draft)


@pytest.mark.parametrize("name", sorted(functions.WRITERS))
def test_a_request_is_served_by_the_functions_it_needs(name: str) -> None:
    """Calls with the values that are said, a question where one is missing, a refusal where nothing fits."""
    for item in drafts(name):
        assert fault_of(item) == ""
        hidden = item.draft.hidden  # type: ignore[attr-defined]
        offered = [one for one in json.loads(item.text)["apis"] if one["name"] not in hidden]
        listed = "\n".join(
            json.dumps({"name": one["name"], "description": one["description"], "parameters": schema(one)})
            for one in offered
        )
        said = functions.serve(f"system: You can call these functions.\n\n{listed}", item.draft.instruction)
        called = [one["name"] for one in said.get("calls", [])]
        if item.type.calls == "none":
            assert not called
            assert said["answer"].startswith("What is" if "missing" in name else "None of the functions")
        else:
            assert called == item.draft.needs  # type: ignore[attr-defined]
            assert all(set(one["arguments"]) <= {"number", "text", "times"} for one in said["calls"])


def schema(api: dict[str, Any]) -> dict[str, Any]:
    """The parts of a function's schema that are looked at."""
    names = [one["name"] for one in api["parameters"]]
    return {"properties": {name: {} for name in names}, "required": names}


@pytest.mark.parametrize("name", sorted(TALKING))
def test_a_conversation_rests_on_what_was_said(name: str) -> None:
    """Each turn changes the last answer, or goes back to the sentence of the first."""
    for item in drafts(name):
        assert item.form.fault(item.draft, "") == ""
        first, *others = item.draft.turns  # type: ignore[attr-defined]
        last = respond("", first)["answer"]
        history = f"user: {first}\nassistant: {last}"
        for turn in others:
            last = talks.go_on(history, turn)["answer"]
            assert last
            history += f"\nuser: {turn}\nassistant: {last}"


def test_puzzles_have_one_solution() -> None:
    """Of who lies there is one way it can be; laws agree on the next number."""
    for kind in ("truth_tellers", "sequence", "wordplay"):
        for task in puzzles.WRITERS[kind](PROSE):
            assert respond(PROSE, task["instruction"]).get("answerable", True)
    two_ways = (
        'On an island everybody either always lies or never does. Ann says: "Bob lies." Bob says: "Ann lies."'
    )
    assert respond("", two_ways)["answerable"] is False


def test_independent_estimates_differ_and_agree_within_ten() -> None:
    """So that the check on estimates has something to compare."""
    task = f'{START}how many hours does it take to read 90 pages about "tides"?'
    values = [estimated("", task, sample)["value"] for sample in range(3)]
    assert len(set(values)) > 1
    assert max(values) < 10 * min(values)


def test_rules_leave_one_order_and_none_is_idle() -> None:
    """Whatever the scene: each rule is needed, and taking one away leaves the order open."""
    scenes = set()
    for number in range(12):
        text = rules(f"{PROSE}\nThis is number {number}.")
        opening, _, said = text.partition(". ")
        lines = re.findall(r"The .+?\.(?= The |$)", said)
        scenes.add(opening.split()[1])
        asked = WRITE["assignment"](text)[0]
        task = FORMS["matching"].show(FORMS["matching"].draft.model_validate(asked))
        assert respond(text, task).get("answerable", True)
        for line in lines:
            fewer = f"{opening}. {' '.join(one for one in lines if one != line)}"
            assert not respond(fewer, task).get("answerable", True)
    assert len(scenes) > 1


def test_a_conversation_changes_something_in_every_turn() -> None:
    """No turn asks for the first four of three words."""
    for number in range(12):
        for task in WRITE["writing_together"](f"{PROSE}\nThis is the sentence of number {number}."):
            first, *others = task["turns"]
            last = respond("", first)["answer"]
            history = f"user: {first}\nassistant: {last}"
            for turn in others[:-1]:
                said = talks.go_on(history, turn)["answer"]
                assert said and said != last
                history, last = f"{history}\nuser: {turn}\nassistant: {said}", said


def test_a_function_returns_what_its_doctest_says() -> None:
    """The simulation knows the calls that the code itself shows."""
    apis = [Api.model_validate(one) for one in functions.described(CODE)]
    assert call(apis, "shout", {"text": "ho", "times": 2}) == ({"result": "HOHO"}, "")
    assert call(apis, "halve", {"number": 7}) == ({"result": 3.5}, "")


def test_a_column_without_a_name_goes_by_its_place() -> None:
    """Not by another's."""
    table = "| a | |\n|---|---|\n| 1 | 2 |"
    task = f'Write out the first row of this table as "column: value", one column a line.\n\n{table}'
    assert respond("", task) == {"answer": "a: 1\ncolumn 2: 2"}


def test_a_piece_of_a_program_is_not_asked_for_its_kind() -> None:
    """It parses as nothing: to call it running text would be a wrong key."""
    piece = "raise RunError(\n    f'{failed} of {records} records failed',\n    'mend the cause',\n"
    assert WRITE["kind_of_text"](piece) == []
    assert WRITE["kind_of_text"]("The crane lifts boxes.\nEach captain pays a fee.\nShips wait outside.")
