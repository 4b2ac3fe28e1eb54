"""Writes held-out items from files of this project that flows/agentinstruct.yaml does not use.

python examples/agentinstruct/make_test.py: test.jsonl of eleven types, narrow.jsonl of the five that
`--profile narrow` trains on.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

from synth.data.documents import DocumentSource, Passage, Tally, passages
from synth.flows.agentinstruct.forms import FORMS
from synth.flows.agentinstruct.item import Item
from synth.flows.agentinstruct.respond import task_of
from synth.flows.agentinstruct.skill import load_skills
from synth.teachers.bookworm import TEXTS, WRITE
from synth.teachers.bookworm.answers import respond

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
TYPES = (
    ("reading_comprehension", "vocabulary_and_language_use", "word"),
    ("multiple_choice", "cloze_with_options", "choice"),
    ("text_classification", "kind_of_text", "choice"),
    ("text_modification", "keyword_replacement", "text"),
    ("few_shot_reasoning", "word_rule", "word"),
    ("few_shot_reasoning", "arithmetic_rule", "number"),
    ("brain_teaser", "wordplay", "word"),
    ("brain_teaser", "sequence", "number"),
    ("web_agent", "find_the_link", "text"),
    ("web_agent", "choose_an_option", "text"),
    ("coding", "predict_the_output", "text"),
)
"""Skill, type, and how a free answer is read."""
BEFORE = {"web_agent": "documentation_site"}
"""Skill -> the transformation that makes its texts."""
EACH = 10
NARROW = ("text_classification", "few_shot_reasoning", "brain_teaser")
"""Skills of narrow.jsonl, with all their types above."""
EACH_NARROW = 40
LONGEST = 120
"""Characters of an answer."""


def held_out() -> list[Passage]:
    """Passages of files that are no seeds, in an order of chance."""
    sources = [
        *(
            DocumentSource(source=str(ROOT / name))
            for name in ("docs/architecture.md", "docs/sandbox.md", "docs/nightly.md", "CONTRIBUTING.md")
        ),
        *(
            DocumentSource(source=str(ROOT / name), include=("*.py",))
            for name in ("core/verify", "core/config", "students")
        ),
        DocumentSource(source=str(HERE / "held_out")),
    ]
    found = list(passages(sources, HERE, tally=Tally(), least=40, most=112))
    random.Random(0).shuffle(found)
    return found


def items(skill_name: str, type_name: str, kind: str, found: list[Passage]) -> Iterator[dict[str, Any]]:
    """Items of one type, at most one a passage."""
    skill = load_skills((skill_name,), HERE)[skill_name]
    part = skill.type(type_name)
    form = FORMS[part.form]
    for passage in found:
        if passage.kind not in skill.takes:
            continue
        try:
            text = TEXTS[BEFORE[skill_name]](passage.text) if skill_name in BEFORE else passage.text
        except ValueError:
            continue
        drafts = WRITE[type_name](text)
        for written in drafts[len(text) % max(1, len(drafts)) :][:1]:
            draft: Any = form.arrange(form.draft.model_validate(written))
            answer = form.answer.model_validate(respond(text, form.show(draft)))
            if answer.answerable and not form.fault(draft, text) and not form.wrong(answer, draft, text):
                row = {"skill": f"{skill_name}/{type_name}", "answer_kind": kind}
                row |= {"question": task_of(Item(part, draft, text), skill)}
                row |= {"answer": form.tell(answer, draft)}
                if kind == "choice":
                    options = getattr(draft, "options", None)
                    row["choices"] = list("ABCDEF"[: len(options)]) if options else list(draft.labels)
                if len(row["answer"]) <= LONGEST:
                    yield row


def rows(types: Sequence[tuple[str, str, str]], each: int, found: list[Passage]) -> Iterator[dict[str, Any]]:
    """At most `each` items of every type, answers in turn: none is right more often than it must be."""
    for skill, type_name, kind in types:
        by_answer: dict[str, list[dict[str, Any]]] = {}
        for row in {row["question"]: row for row in items(skill, type_name, kind, found)}.values():
            by_answer.setdefault(row["answer"], []).append(row)
        turns = zip_longest(*by_answer.values())
        yield from islice((row for turn in turns for row in turn if row), each)


def main() -> None:
    """Write the files."""
    found = held_out()
    narrow = [part for part in TYPES if part[0] in NARROW]
    for name, types, each in (("test.jsonl", TYPES, EACH), ("narrow.jsonl", narrow, EACH_NARROW)):
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows(types, each, found)]
        (HERE / name).write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
