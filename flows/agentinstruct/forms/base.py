"""The parts every form has: a draft of the task, an answer, and the questions asked of both."""

from __future__ import annotations

import json
import random
import re
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from pydantic import BaseModel

from synth.data.overlap import normalise

__all__ = [
    "Answer",
    "Draft",
    "Form",
    "broken",
    "found_in",
    "lettered",
    "rows_of",
    "shuffled",
    "unfenced",
    "words",
]

LETTERS = "ABCDEFGHIJ"


class Draft(BaseModel):
    """A task as an instruction agent writes it: never with its answer."""

    instruction: str


class Answer(BaseModel):
    """What the response agent says. `answerable` is false where the text does not hold the answer."""

    reason: str = ""
    answerable: bool = True


class Form(ABC):
    """One form. `task_hint` and `answer_hint` describe the JSON of task and answer to a model."""

    name: ClassVar[str]
    draft: ClassVar[type[Draft]] = Draft
    answer: ClassVar[type[Answer]] = Answer
    task_hint: ClassVar[str] = '{"instruction": "..."}'
    answer_hint: ClassVar[str]
    agrees: ClassVar[bool] = False
    """Whether independent answers can be compared: then enough of them must agree."""

    @property
    def reasons(self) -> bool:
        """Whether the learner is shown a reason before the answer."""
        return '"reason"' in self.answer_hint

    def arrange(self, draft: Any) -> Any:
        """The draft as the student will see it: options in an order of chance, for one."""
        return draft

    def show(self, draft: Any) -> str:
        """The task in words, for the student and for the response agent."""
        return str(draft.instruction).strip()

    def fault(self, draft: Any, text: str) -> str:
        """What is wrong with the task, or nothing."""
        if not draft.instruction.strip():
            return "the task is empty"
        blank = next((name for name, part in draft if isinstance(part, list) and "" in map(_bare, part)), "")
        return f"there is an empty entry under {blank!r}" if blank else ""

    @abstractmethod
    def tell(self, answer: Any, draft: Any) -> str:
        """The answer in words, for the student to learn, without the reason."""

    def wrong(self, answer: Any, draft: Any, text: str) -> str:
        """What is wrong with the answer, or nothing. `text` is what the task is about."""
        return "" if self.tell(answer, draft).strip() else "the answer is empty"

    def key(self, answer: Any, draft: Any) -> str:
        """What must be alike for two answers to be the same; nothing where that cannot be said."""
        return normalise(self.tell(answer, draft)) if self.agrees else ""

    def solved(self, response: str, answer: Any, draft: Any) -> bool | None:
        """Whether a free response gives this answer; None where only a reader could say."""
        key = self.key(answer, draft)
        return words(key) in words(response) if key else None


def _bare(part: object) -> object:
    return part.strip() if isinstance(part, str) else part


def unfenced(text: str) -> str:
    """The text without a code fence around the whole of it."""
    found = re.fullmatch(r"\s*```\w*\n(.*?)\n?```\s*", text, re.DOTALL)
    return found[1] if found else text


def words(text: str) -> str:
    """Its words and numbers alone, in lower case, with a blank on either side of each."""
    return f" {' '.join(re.findall(r'[a-z0-9_.]*[a-z0-9_]', normalise(text)))} "


def found_in(part: str, text: str) -> bool:
    """Whether `part` stands in `text` as whole words, differences of case, spacing and edge marks aside."""
    wanted = normalise(part).strip(" \"'`*_.,;:()[]")
    return bool(wanted) and bool(re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", normalise(text)))


def broken(text: str) -> str:
    """What does not parse in a text: a block marked as JSON, or a Markdown table; nothing if all does."""
    for block in re.findall(r"^```json\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        try:
            json.loads(block)
        except ValueError as error:
            return f"the JSON in it does not parse: {error}"
    for table in re.findall(r"(?:^[ ]*\|.*\|[ ]*(?:\n|\Z)){2,}", text, re.MULTILINE):
        if not rows_of(table):
            return "the table in it has no rule below its header, or rows of unequal length"
    return ""


def rows_of(table: str) -> list[list[str]]:
    """Rows of a Markdown table, the header first; nothing if it is none. `\\|` is no border."""
    lines = [line.strip() for line in table.strip().splitlines()]
    if len(lines) < 3 or not re.fullmatch(r"\|?(\s*:?-+:?\s*\|)+(\s*:?-+:?\s*)?", lines[1]):
        return []
    bare = [line.removeprefix("|").removesuffix("|") for line in (lines[0], *lines[2:])]
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)] for line in bare]
    return rows if len({len(row) for row in rows}) == 1 else []


def shuffled(parts: list[str]) -> list[str]:
    """An order of chance that depends on the parts alone."""
    order = sorted(parts)
    random.Random("\n".join(order)).shuffle(order)
    return order


def lettered(parts: list[str]) -> str:
    """`A) ...` lines."""
    return "\n".join(f"{letter}) {part}" for letter, part in zip(LETTERS, parts, strict=False))
