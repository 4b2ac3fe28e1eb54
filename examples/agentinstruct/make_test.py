"""Writes test.jsonl: held-out items from files of this project that flows/agentinstruct.yaml does not use.

python examples/agentinstruct/make_test.py
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

from synth.data.documents import DocumentSource, Passage, Tally, passages
from synth.flows.agentinstruct.forms import FORMS
from synth.flows.agentinstruct.item import Item
from synth.flows.agentinstruct.respond import task_of
from synth.flows.agentinstruct.skill import load_skills
from synth.teachers.bookworm.answers import respond
from synth.teachers.bookworm.tasks import WRITERS

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
TYPES = {
    "reading_comprehension": "vocabulary_and_language_use",
    "multiple_choice": "cloze_with_options",
    "text_classification": "kind_of_text",
    "few_shot_reasoning": "word_rule",
}
EACH = 20


def held_out() -> list[Passage]:
    """Passages of files that are no seeds, in an order of chance."""
    sources = [
        DocumentSource(source=str(ROOT / "docs" / "architecture.md")),
        *(
            DocumentSource(source=str(ROOT / name), include=("**/*.py",))
            for name in ("core/verify", "core/config")
        ),
        *(DocumentSource(source=str(ROOT / name), include=("*.py",)) for name in ("students", "teachers")),
    ]
    found = list(passages(sources, HERE, tally=Tally(), most=192))
    random.Random(0).shuffle(found)
    return found


def items(skill_name: str, type_name: str, found: list[Passage]) -> Iterator[dict[str, str]]:
    """Items of one type, at most one a passage."""
    skill = load_skills((skill_name,), HERE)[skill_name]
    kind = skill.type(type_name)
    form = FORMS[kind.form]
    for passage in found:
        drafts = WRITERS[type_name](passage.text)
        for written in drafts[len(passage.text) % max(1, len(drafts)) :][:1]:
            draft = form.arrange(form.draft.model_validate(written))
            answer = form.answer.model_validate(respond(passage.text, form.show(draft)))
            if answer.answerable and not form.fault(draft, passage.text):
                question = task_of(Item(kind, draft, passage.text), skill)
                yield {"skill": skill_name, "question": question, "answer": form.tell(answer, draft)}


def main() -> None:
    """Write the file."""
    found = held_out()
    rows: list[dict[str, str]] = []
    for skill, kind in TYPES.items():
        every = list(items(skill, kind, found))
        by_answer: dict[str, list[dict[str, str]]] = {}
        for row in every:
            by_answer.setdefault(row["answer"], []).append(row)
        # Answers in turn, so that no single one is right more often than it must be.
        order = [
            row
            for turn in range(len(every))
            for group in by_answer.values()
            for row in group[turn : turn + 1]
        ]
        rows += order[:EACH]
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    (HERE / "test.jsonl").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
