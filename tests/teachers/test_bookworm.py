"""The program teacher: it finds by reading, abstains where there is nothing, and refuses the rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from synth.agents import load_prompt
from synth.flows.agentinstruct.skill import load_skills
from synth.teachers.bookworm import answer
from synth.teachers.bookworm.answers import filled, respond
from synth.teachers.bookworm.edits import edit, suggest
from synth.teachers.bookworm.reading import examples, gaps, table

TEXT = """The ferry to Bergen leaves at nine. It carries passengers and letters.
Nobody waits for the evening boat."""


def said(name: str, **variables: Any) -> Any:
    """What it answers to one of the real prompts."""
    return json.loads(answer(load_prompt(f"agentinstruct/{name}").render(**variables)))


def test_it_reads_the_prompts_a_model_would_get() -> None:
    """Tasks by type, in the number asked for."""
    skill = load_skills(("reading_comprehension",), Path())["reading_comprehension"]
    kind = skill.type("vocabulary_and_language_use")
    tasks = said("instruct", skill=skill, type=kind, text=TEXT, count=1, hint="")["tasks"]
    assert len(tasks) == 1
    assert tasks[0]["sentence"].count("____") == 1


def test_what_takes_more_than_reading_is_refused() -> None:
    """Refused calls are counted; a guess would be taken for an answer."""
    skill = load_skills(("reading_comprehension",), Path())["reading_comprehension"]
    with pytest.raises(ValueError, match="no tasks of the type 'weaken'"):
        said("instruct", skill=skill, type=skill.type("weaken"), text=TEXT, count=1, hint="")
    with pytest.raises(ValueError, match="cannot rewrite a text as 'poem'"):
        said("transform", skill=skill, transformation=skill.transformation("poem"), text=TEXT)
    with pytest.raises(ValueError, match="cannot do this task"):
        respond(TEXT, "Say what the ferry feels.")


def test_a_gap_is_filled_from_the_text_or_not_at_all() -> None:
    """Across line breaks; without the sentence the answer is that it is not there."""
    assert filled(TEXT, "It carries ____ and letters.") == "passengers"
    assert filled(TEXT, "Nobody waits for the ____ boat.") == "evening"
    assert filled(TEXT, "It carries ____ and parcels.") == ""
    assert respond(TEXT, "Fill in the word.\n\nIt carries ____ and parcels.")["answerable"] is False


def test_a_gap_takes_a_word_the_text_has_once() -> None:
    """Else the text around the gap would tell."""
    found = gaps("The harbour master opens the harbour gate at dawn. Only the pilot may enter before noon.")
    assert ("The harbour master opens the harbour gate at dawn.", "harbour") not in found
    assert all("____" in gapped and word not in gapped for gapped, word in found)


def test_each_goal_is_reached_by_an_edit() -> None:
    """The sentence goes, or a word used in the same way takes the place of the answer, or an option
    is added."""
    text = f"{TEXT} The pilots sleep until seven."
    ask = "Which word fills the gap in this sentence of the text?"
    task = f"{ask}\n\nIt carries ____ and letters.\n\nA) pilots\nB) passengers"
    goals = "unanswerable: x\nanswer_changes: y\nmore_complex: z"
    ways = {one["goal"]: one["change"] for one in suggest(text, task, goals)}
    assert set(ways) == {"unanswerable", "answer_changes", "more_complex"}
    draft = json.dumps({"instruction": task, "options": ["pilots", "passengers"]})
    without, _ = edit(text, draft, ways["unanswerable"])
    changed, _ = edit(text, draft, ways["answer_changes"])
    assert filled(without, "It carries ____ and letters.") == ""
    assert filled(changed, "It carries ____ and letters.") == "pilots"
    assert len(edit(text, draft, ways["more_complex"])[1]["options"]) == 3


def test_doctests_are_read_without_the_docstring_that_tells() -> None:
    """The program shown has no example in it."""
    code = 'import math\n\n\ndef f(x):\n    """Half.\n\n    >>> f(4)\n    2.0\n    """\n    return x / 2\n'
    first = examples(code)[0]
    assert (first.call, first.result, first.about) == ("f(4)", "2.0", "Half.")
    assert ">>>" not in first.source
    assert first.source.startswith("import math")
    assert examples("no python(") == []


def test_a_table_is_its_header_rule_and_rows() -> None:
    """Also where the header has no border before it; without a rule it is none."""
    rows = "API | Use |\n|:---|:---:|\n| [Cats](x) | pictures |\n| Dogs | |"
    assert table(f"Text.\n\n{rows}\n\nMore.") == rows.splitlines()
    assert table("| a | b |\n| c | d |\n| e | f |") == []
