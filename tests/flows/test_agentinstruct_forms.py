"""What each form accepts of a task and of an answer, and how a free response is compared with it."""

from __future__ import annotations

from typing import Any

import pytest

from synth.chat import Dropped
from synth.flows.agentinstruct.check import agreed, wrong
from synth.flows.agentinstruct.forms import FORMS
from synth.flows.agentinstruct.item import Item
from synth.flows.agentinstruct.params import Params
from synth.flows.agentinstruct.respond import said
from synth.flows.agentinstruct.skill import TaskType

TEXT = "On 3 May the ferry to Bergen left at 9.30 with 212 passengers. It rained."
TABLE = "| port | boats |\n|---|---|\n| Bergen | 12 |\n| Oslo | 7 |"
ASK: dict[str, dict[str, Any]] = {
    "choice": {"options": ["Oslo", "Bergen", "Rome"]},
    "statements": {"statements": ["It rained.", "It snowed."]},
    "ordering": {"items": ["left", "came", "rained"]},
    "matching": {"left": ["ferry", "day"], "right": ["Bergen", "3 May"]},
    "label": {"labels": ["news", "novel"]},
    "fill_in": {"sentence": "The ferry to ____ left."},
    "few_shot": {"examples": ["Input: a\nOutput: A", "Input: b\nOutput: B"], "query": "Input: c"},
    "fields": {"fields": ["port", "passengers"]},
    "described": {"table": TABLE},
    "cited": {"documents": [TEXT, "Other."]},
    "action": {"page": "[1] link 'Home'\n[2] input 'Name'\n[3] button 'Go'"},
    "code": {"tests": ["assert f(2) == 4"]},
    "output": {"program": "print(2 + 2)"},
    "dialogue": {"turns": ["Hello?", "And now?"]},
}


def item(form: str, **changed: Any) -> Item:
    """A task of a form, sound unless `changed`."""
    draft = FORMS[form].draft.model_validate({"instruction": "Do it.", **ASK.get(form, {}), **changed})
    return Item(TaskType(name="t", ask="", form=form), draft, TEXT)


@pytest.mark.parametrize("form", sorted(set(FORMS) - {"tools"}))
def test_a_sound_task_has_no_fault(form: str) -> None:
    """And is shown with all its parts."""
    sound = item(form)
    assert sound.form.fault(sound.draft, TEXT) == ""
    assert sound.form.show(sound.draft)


@pytest.mark.parametrize(
    ("form", "changed", "fault"),
    [
        ("choice", {"options": ["Oslo", "oslo ", "Rome"]}, "two options are the same"),
        ("choice", {"options": ["Oslo", "Rome"]}, "there are 2 options"),
        ("statements", {"statements": ["It rained."]}, "1 statements"),
        ("ordering", {"items": ["a", "b", "a"]}, "not three to eight"),
        ("matching", {"right": ["Bergen"]}, "as many left as right"),
        ("label", {"labels": ["news"]}, "two to ten"),
        ("fill_in", {"sentence": "____ and ____"}, "2 gaps"),
        ("few_shot", {"query": "Input: a"}, "is one of the examples"),
        ("described", {"table": "no table"}, "not a Markdown table"),
        ("action", {"page": "[1] a\n[1] b\n[2] c"}, "stands twice"),
        ("code", {"tests": ["print(1)"]}, "is not an assert"),
        ("code", {"tests": ["assert (1"]}, "not Python"),
        ("output", {"program": "x ="}, "not Python"),
        ("dialogue", {"turns": ["Hello?"]}, "1 turns"),
        ("dialogue", {"turns": ["Hello?", "hello? "]}, "says the same thing twice"),
        *((form, {"instruction": "  "}, "empty") for form in sorted(set(FORMS) - {"tools"})),
        ("label", {"labels": ["news", " "]}, "an empty entry under 'labels'"),
        ("matching", {"left": ["", "day"]}, "an empty entry under 'left'"),
        ("few_shot", {"examples": ["a is A", "b is B"]}, "no line that begins with Output:"),
        ("few_shot", {"query": "Input: c\nOutput: C"}, "has its output"),
        ("cited", {"documents": [TEXT]}, "no other documents"),
    ],
)
def test_a_faulty_task_is_named(form: str, changed: dict[str, Any], fault: str) -> None:
    """So that the editor knows what to mend."""
    faulty = item(form, **changed)
    assert fault in faulty.form.fault(faulty.draft, TEXT)


@pytest.mark.parametrize(
    ("form", "answer", "fault"),
    [
        ("choice", {"answer": "B) Bergen"}, ""),
        ("choice", {"answer": "E"}, "is not the letter"),
        ("statements", {"answer": [True, False]}, ""),
        ("statements", {"answer": [True, True]}, "not one statement"),
        ("ordering", {"answer": ["C", "a", "B"]}, ""),
        ("ordering", {"answer": ["A", "A", "B"]}, "is not an order"),
        ("matching", {"answer": ["B", "A"]}, ""),
        ("matching", {"answer": ["A", "A"]}, "each entry once"),
        ("label", {"answer": "News"}, ""),
        ("label", {"answer": "poem"}, "none of the labels"),
        ("fill_in", {"answer": "bergen"}, ""),
        ("fill_in", {"answer": "Oslo"}, "does not occur"),
        ("fill_in", {"answer": "Berg"}, "does not occur"),
        ("spans", {"answer": ["Bergen", "9.30"]}, ""),
        ("spans", {"answer": ["pass"]}, "does not stand in the text"),
        ("spans", {"answer": ["Bergen", "Bergen"]}, "named twice"),
        ("spans", {"answer": ["Oslo"]}, "does not stand in the text"),
        ("fields", {"answer": '{"port": "Bergen", "passengers": 212}'}, ""),
        ("fields", {"answer": '{"port": "Oslo", "passengers": null}'}, "does not stand"),
        ("fields", {"answer": '{"port": "Bergen"}'}, "the fields are not"),
        ("fields", {"answer": "port: Bergen"}, "not JSON"),
        ("fields", {"answer": '```json\n{"port": "Bergen", "passengers": 212.0}\n```'}, ""),
        ("fields", {"answer": '{"port": "Bergen", "passengers": 999}'}, "999 does not stand"),
        ("fields", {"answer": '{"port": {"name": ["Oslo"]}, "passengers": 212}'}, "'Oslo' does not stand"),
        ("fields", {"answer": '{"port": NaN, "passengers": 212}'}, "not JSON"),
        ("fields", {"answer": '{"port": "", "passengers": null}'}, "every field is null"),
        ("spans", {"answer": ["3 May", "3 may"]}, "named twice"),
        ("choice", {"answer": "A and B"}, "is not the letter"),
        ("choice", {"answer": "Bergen"}, ""),
        ("ordering", {"answer": ["C, A, B"]}, ""),
        ("label", {"answer": '"News."'}, ""),
        ("short", {"answer": "Not stated in the text."}, "answerable is false then"),
        ("cited", {"answer": " ", "documents": [1]}, "empty"),
        ("cited", {"answer": "At 9.30 [2].", "documents": [1]}, "it marks [2] and names [1]"),
        ("action", {"action": "type", "element": 1, "value": "Ann"}, "nothing can be typed"),
        ("rewrite", {"answer": "Do it."}, "unchanged"),
        ("described", {"answer": "Bergen has 12 boats, Oslo 7."}, ""),
        ("described", {"answer": "Together 19 boats."}, "19 does not stand"),
        ("cited", {"answer": "At 9.30.", "documents": [1]}, ""),
        ("cited", {"answer": "At 9.30.", "documents": [3]}, "it cites [3]"),
        ("cited", {"answer": "At 9.30.", "documents": [2]}, "does not cite document 1"),
        ("action", {"action": "type", "element": 2, "value": "Ann"}, ""),
        ("action", {"action": "click", "element": 9}, "no element [9]"),
        ("action", {"action": "hover", "element": 2}, "no action"),
        ("action", {"action": "select", "element": 2, "value": "Sundays"}, "does not offer 'Sundays'"),
        ("open", {"answer": "| port | boats |\n|---|---|\n| Bergen | 12 |"}, ""),
        ("open", {"answer": "| port | boats |\n|---|---|\n| Bergen |"}, "rows of unequal length"),
        ("open", {"answer": '```json\n{"port": "Bergen"}\n```'}, ""),
        ("open", {"answer": "```json\n{'port': 'Bergen'}\n```"}, "JSON in it does not parse"),
        ("number", {"value": 1200, "reason": "about two hundred on six boats"}, ""),
        ("number", {"value": 0, "reason": "about two hundred on six boats"}, "no positive number"),
        ("number", {"value": 1200, "reason": "many"}, "steps of the estimate are missing"),
        ("rewrite", {"answer": TEXT}, "unchanged"),
        ("short", {"answer": "word " * 50}, "longer than a few words"),
        ("code", {"code": "def f(x):\n    return x * x"}, ""),
        ("code", {"code": "```python\ndef f(x):\n    return x * x\n```"}, ""),
        ("code", {"code": "def f(x):\n    raise SystemExit"}, "ends before its tests do"),
        ("code", {"code": "import os\ndef f(x):\n    os._exit(0)"}, "ends before its tests do"),
        ("code", {"code": "def f(x):\n    return x + 1"}, "its tests fail: AssertionError"),
        ("code", {"code": "import os\nos.kill(os.getppid(), 9)"}, "its tests fail: PermissionError"),
        ("output", {"answer": "4"}, ""),
        ("output", {"answer": "5"}, "prints something else"),
        ("choice", {"answerable": False}, ""),
    ],
)
async def test_an_answer_passes_or_is_told_why_not(form: str, answer: dict[str, Any], fault: str) -> None:
    """Every validator, on an answer that is right and on one that is not."""
    asked = item(form)
    said = await wrong(asked, FORMS[form].answer.model_validate(answer), Params().sandbox)
    assert (fault in said) if fault else said == ""


@pytest.mark.parametrize(
    ("form", "answer", "response", "solved"),
    [
        ("choice", {"answer": "B"}, "The answer is B.", True),
        ("choice", {"answer": "B"}, "A", False),
        ("choice", {"answer": "B"}, "bergen", True),
        ("label", {"answer": "news"}, "This is news.", True),
        ("ordering", {"answer": ["B", "A", "C"]}, "B, A, C", True),
        ("ordering", {"answer": ["B", "A", "C"]}, "A, B, C", False),
        ("number", {"value": 100}, "roughly 2 x 300 = 600", True),
        ("number", {"value": 100}, "roughly 5,000", False),
        ("output", {"answer": "4"}, "It prints 4", True),
        ("fill_in", {"answer": "Bergen"}, "bergen.", True),
        ("fill_in", {"answer": "Berg"}, "Bergen", False),
        ("open", {"answer": "A story."}, "A story.", None),
    ],
)
def test_a_free_response_is_compared(
    form: str, answer: dict[str, Any], response: str, solved: bool | None
) -> None:
    """For the discriminative yield; what only a reader could judge is left alone."""
    asked = item(form)
    said = FORMS[form].answer.model_validate(answer)
    assert asked.form.solved(response, said, asked.draft) is solved


def test_options_and_items_are_put_in_an_order_of_chance() -> None:
    """Where the writer put the right one says nothing; fixed options keep their places."""
    choice, ordering = FORMS["choice"], FORMS["ordering"]
    written = [item("choice", options=[f"A) one{n}", f"B) two{n}", f"C) three{n}"]).draft for n in range(12)]
    firsts = {choice.arrange(draft).options[0][:3] for draft in written}
    assert firsts == {"one", "two", "thr"}
    fixed = item("choice", options=["x", "y", "both of them, as above"]).draft
    assert choice.arrange(fixed).options == ["x", "y", "both of them, as above"]
    shown = [
        ordering.arrange(item("ordering", items=order).draft).items
        for order in (["p", "q", "r"], ["r", "q", "p"])
    ]
    assert shown[0] == shown[1]


async def test_tests_that_anything_passes_are_no_tests() -> None:
    """A task is not kept for tests that would also pass if the function did nothing of use."""
    vacuous = item("code", tests=["assert f is not None", "assert True"])
    answer = FORMS["code"].answer.model_validate({"code": "def f(x):\n    return x * x"})
    assert "whatever the code does" in await wrong(vacuous, answer, Params().sandbox)


async def test_a_bug_to_be_fixed_must_be_one() -> None:
    """The code that the task quotes fails the tests that the answer passes."""
    answer = FORMS["code"].answer.model_validate({"code": "def f(x):\n    return x * x"})
    kind = TaskType(name="fix_the_bug", ask="", form="code", checks=("fails-first",))
    for body, fault in (("x + 1", ""), ("x ** 2", "has no mistake"), ("", "has no mistake")):
        quoted = f"\n```python\ndef f(x):\n    return {body}\n```" if body else ""
        sound = item("code", instruction=f"Mend this.{quoted}")
        said = await wrong(Item(kind, sound.draft, TEXT), answer, Params().sandbox)
        assert (fault in said) if fault else said == ""


def test_a_text_that_is_to_be_changed_is_not_handed_back() -> None:
    """Nor is the text that the task itself quotes."""
    asked = item("rewrite", instruction="Remove all commas from this sentence: It rained.")
    for answer, fault in (("It rained.", "unchanged"), ("It rained", "")):
        said = asked.form.wrong(asked.form.answer.model_validate({"answer": answer}), asked.draft, TEXT)
        assert (fault in said) if fault else said == ""


def test_estimates_in_different_units_are_not_compared() -> None:
    """A hundred hours and a hundred minutes are not the same."""
    made = [
        FORMS["number"].answer.model_validate({"value": 100, "unit": unit})
        for unit in ("hours", "hour", "minutes")
    ]
    assert agreed(item("number"), [(one, "") for one in made[:2]], Params())[1] == {"agree": 2, "of": 2}
    with pytest.raises(Dropped, match="in 'hour', 'minute'"):
        agreed(item("number"), [(one, "") for one in made], Params())


def test_estimates_must_lie_within_a_factor_of_ten() -> None:
    """The middle one is kept; one that is far off spoils them all."""
    asked = item("number")
    made = [FORMS["number"].answer.model_validate({"value": value}) for value in (900, 100, 400)]
    best, notes = agreed(asked, [(one, "") for one in made], Params())
    assert (best.value, notes) == (400, {"agree": 3, "of": 3})  # type: ignore[attr-defined]
    far = FORMS["number"].answer.model_validate({"value": 1001})
    with pytest.raises(Dropped, match="disagreed"):
        agreed(asked, [(one, "") for one in (*made, far)], Params())


@pytest.mark.parametrize(
    ("form", "one", "two", "same"),
    [
        ("short", "The ferry.", "ferry", True),
        ("short", "the ferry", "the boat", False),
        ("few_shot", "HELLO", "hello", False),
        ("few_shot", "Output: HELLO", "HELLO", True),
    ],
)
def test_answers_are_the_same_by_what_their_form_is_about(form: str, one: str, two: str, same: bool) -> None:
    """Articles and marks are nothing in a short answer, and may be all in a rule shown by examples."""
    asked = item(form)
    keys = {asked.form.key(asked.form.answer.model_validate({"answer": a}), asked.draft) for a in (one, two)}
    assert (len(keys) == 1) is same


def test_a_reason_is_shown_only_where_the_form_has_one() -> None:
    """A model fills the field in whatever it is told: an essay does not begin with a remark on it."""
    essay, choice = item("open"), item("choice")
    told = {"reason": "Because.", "answer": "B"}
    assert said(essay.form.answer.model_validate(told), essay) == "B"
    assert said(choice.form.answer.model_validate(told), choice) == "Because.\n\nB"
