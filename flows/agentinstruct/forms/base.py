"""The parts every form has: a draft of the task, an answer, and the questions asked of both."""

from __future__ import annotations

import random
import re
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from pydantic import BaseModel

from synth.data.overlap import normalise

__all__ = ["Answer", "Draft", "Form", "found_in", "lettered", "shuffled", "words"]

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

    def arrange(self, draft: Any) -> Any:
        """The draft as the student will see it: options in an order of chance, for one."""
        return draft

    def show(self, draft: Any) -> str:
        """The task in words, for the student and for the response agent."""
        return str(draft.instruction).strip()

    def fault(self, draft: Any, text: str) -> str:
        """What is wrong with the task, or nothing."""
        return "" if draft.instruction.strip() else "the task is empty"

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


def words(text: str) -> str:
    """Its words and numbers alone, in lower case, with a blank on either side of each."""
    return f" {' '.join(re.findall(r'[a-z0-9_.]*[a-z0-9_]', normalise(text)))} "


def found_in(part: str, text: str) -> bool:
    """Whether `part` stands in `text`, differences of case, spacing and edge marks aside."""
    wanted = normalise(part).strip(" \"'`*_.,;:()[]")
    return bool(wanted) and wanted in normalise(text)


def shuffled(parts: list[str]) -> list[str]:
    """An order of chance that depends on the parts alone."""
    order = sorted(parts)
    random.Random("\n".join(order)).shuffle(order)
    return order


def lettered(parts: list[str]) -> str:
    """`A) ...` lines."""
    return "\n".join(f"{letter}) {part}" for letter, part in zip(LETTERS, parts, strict=False))
