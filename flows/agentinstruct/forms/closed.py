"""Forms with a closed set of answers: options, statements, an order, pairs, labels."""

from __future__ import annotations

import re

from pydantic import Field

from synth.data.overlap import normalise
from synth.flows.agentinstruct.forms.base import LETTERS, Answer, Draft, Form, lettered, shuffled, words

__all__ = ["Choice", "Label", "Matching", "Ordering", "Statements"]

_FIXED = re.compile(r"\b(above|below|both|neither|[A-D] and [A-D])\b")


class OptionsDraft(Draft):
    """A question with options."""

    options: list[str]


class LetterAnswer(Answer):
    """The letter of an option."""

    answer: str = ""


class Choice(Form):
    """One right option of several."""

    name = "choice"
    draft = OptionsDraft
    answer = LetterAnswer
    agrees = True
    task_hint = '{"instruction": "the question", "options": ["three to five options, without letters"]}'
    answer_hint = (
        '{"reason": "one or two sentences", "answerable": true, "answer": "the letter of the right option"}'
    )

    def arrange(self, draft: OptionsDraft) -> OptionsDraft:
        bare = [re.sub(r"^\(?[A-Ja-j][).:]\s+", "", option).strip() for option in draft.options]
        fixed = any(_FIXED.search(option) for option in bare)
        return draft.model_copy(update={"options": bare if fixed else shuffled(bare)})

    def show(self, draft: OptionsDraft) -> str:
        return f"{draft.instruction.strip()}\n\n{lettered(draft.options)}"

    def fault(self, draft: OptionsDraft, text: str) -> str:
        count = len(draft.options)
        if not 3 <= count <= 6:
            return f"there are {count} options, not three to six"
        if len({normalise(option) for option in draft.options}) < count:
            return "two options are the same"
        return super().fault(draft, text)

    def tell(self, answer: LetterAnswer, draft: OptionsDraft) -> str:
        options = [normalise(option) for option in draft.options]
        said = normalise(answer.answer)
        letter = LETTERS[options.index(said)] if said in options else _letter(answer.answer)
        return letter if letter in LETTERS[: len(draft.options)] else ""

    def wrong(self, answer: LetterAnswer, draft: OptionsDraft, text: str) -> str:
        return "" if self.tell(answer, draft) else f"{answer.answer!r} is not the letter of an option"

    def solved(self, response: str, answer: LetterAnswer, draft: OptionsDraft) -> bool | None:
        letter = self.tell(answer, draft)
        said = re.findall(rf"\b([{LETTERS[: len(draft.options)]}])\b", response)
        return said[-1] == letter if said else words(draft.options[LETTERS.index(letter)]) in words(response)


def _letter(text: str) -> str:
    """The letter that a text is, or that it begins with as a list does: `B`, `(b)`, `B) Bergen`."""
    match = re.match(r"\W*(?:option )?([a-j])(?:\W*$|\s*[).:\u2013-]\s*\S)", text, re.IGNORECASE)
    return match[1].upper() if match else ""


def _letters(entries: list[str]) -> list[str]:
    """Letters, those given together in one entry too."""
    return [_letter(part) for entry in entries for part in entry.split(",")]


class StatementsDraft(Draft):
    """Statements to be judged."""

    statements: list[str]


class VerdictsAnswer(Answer):
    """True or false, one for each statement."""

    answer: list[bool] = Field(default_factory=list)


class Statements(Form):
    """One true and one false statement, on purpose or point of view."""

    name = "statements"
    draft = StatementsDraft
    answer = VerdictsAnswer
    agrees = True
    task_hint = '{"instruction": "...", "statements": ["a statement that is true", "and one that is false"]}'
    answer_hint = '{"reason": "...", "answerable": true, "answer": [true, false]}'

    def arrange(self, draft: StatementsDraft) -> StatementsDraft:
        return draft.model_copy(update={"statements": shuffled(draft.statements)})

    def show(self, draft: StatementsDraft) -> str:
        numbered = "\n".join(f"{n}. {text}" for n, text in enumerate(draft.statements, 1))
        return f"{draft.instruction.strip()}\n\n{numbered}"

    def fault(self, draft: StatementsDraft, text: str) -> str:
        if len({normalise(statement) for statement in draft.statements}) != 2:
            return f"there are {len(draft.statements)} statements, not two different ones"
        return super().fault(draft, text)

    def tell(self, answer: VerdictsAnswer, draft: StatementsDraft) -> str:
        return "\n".join(f"{n}. {'True' if right else 'False'}" for n, right in enumerate(answer.answer, 1))

    def wrong(self, answer: VerdictsAnswer, draft: StatementsDraft, text: str) -> str:
        if len(answer.answer) != len(draft.statements):
            return f"{len(answer.answer)} verdicts on {len(draft.statements)} statements"
        return "" if len(set(answer.answer)) == 2 else "not one statement is true and one false"


class ItemsDraft(Draft):
    """Things to be put in order."""

    items: list[str]


class OrderAnswer(Answer):
    """Letters in order."""

    answer: list[str] = Field(default_factory=list)


class Ordering(Form):
    """Events or steps in the order the text gives them."""

    name = "ordering"
    draft = ItemsDraft
    answer = OrderAnswer
    agrees = True
    task_hint = '{"instruction": "...", "items": ["three to six events or steps, in any order"]}'
    answer_hint = '{"reason": "...", "answerable": true, "answer": ["B", "A", "C"]}'

    def arrange(self, draft: ItemsDraft) -> ItemsDraft:
        return draft.model_copy(update={"items": shuffled(draft.items)})

    def show(self, draft: ItemsDraft) -> str:
        return f"{draft.instruction.strip()}\n\n{lettered(draft.items)}"

    def fault(self, draft: ItemsDraft, text: str) -> str:
        if not 3 <= len({normalise(item) for item in draft.items}) == len(draft.items) <= 8:
            return "there are not three to eight different things to order"
        return super().fault(draft, text)

    def tell(self, answer: OrderAnswer, draft: ItemsDraft) -> str:
        return ", ".join(filter(None, _letters(answer.answer)))

    def wrong(self, answer: OrderAnswer, draft: ItemsDraft, text: str) -> str:
        said = self.tell(answer, draft).split(", ")
        whole = sorted(said) == list(LETTERS[: len(draft.items)])
        return "" if whole else f"{', '.join(answer.answer)} is not an order of all {len(draft.items)}"

    def solved(self, response: str, answer: OrderAnswer, draft: ItemsDraft) -> bool | None:
        said = re.findall(rf"\b[{LETTERS[: len(draft.items)]}]\b", response)
        return said[-len(draft.items) :] == self.tell(answer, draft).split(", ")


class ColumnsDraft(Draft):
    """Two columns."""

    left: list[str]
    right: list[str]


class PairsAnswer(Answer):
    """The letter of the right column for each entry of the left."""

    answer: list[str] = Field(default_factory=list)


class Matching(Form):
    """Entries of two columns that belong together."""

    name = "matching"
    draft = ColumnsDraft
    answer = PairsAnswer
    agrees = True
    task_hint = (
        '{"instruction": "...", "left": ["entries"], "right": ["as many entries to match, in any order"]}'
    )
    answer_hint = '{"reason": "...", "answerable": true, "answer": ["letter for the first entry", "..."]}'

    def arrange(self, draft: ColumnsDraft) -> ColumnsDraft:
        return draft.model_copy(update={"right": shuffled(draft.right)})

    def show(self, draft: ColumnsDraft) -> str:
        left = "\n".join(f"{n}. {text}" for n, text in enumerate(draft.left, 1))
        return f"{draft.instruction.strip()}\n\n{left}\n\n{lettered(draft.right)}"

    def fault(self, draft: ColumnsDraft, text: str) -> str:
        left, right = ({normalise(entry) for entry in side} for side in (draft.left, draft.right))
        if not 2 <= len(draft.left) == len(left) == len(right) == len(draft.right) <= 8:
            return "the columns are not two to eight different entries each, as many left as right"
        return super().fault(draft, text)

    def tell(self, answer: PairsAnswer, draft: ColumnsDraft) -> str:
        return ", ".join(f"{n}-{said}" for n, said in enumerate(_letters(answer.answer), 1))

    def wrong(self, answer: PairsAnswer, draft: ColumnsDraft, text: str) -> str:
        whole = sorted(_letters(answer.answer)) == list(LETTERS[: len(draft.right)])
        return "" if whole else f"{', '.join(answer.answer)} does not match each entry once"


class LabelDraft(Draft):
    """A set of labels."""

    labels: list[str]


class Label(Form):
    """One label of a given set."""

    name = "label"
    draft = LabelDraft
    answer = LetterAnswer
    agrees = True
    task_hint = '{"instruction": "what is to be classified, and how", "labels": ["two to eight labels"]}'
    answer_hint = '{"reason": "one sentence", "answerable": true, "answer": "one label, exactly as given"}'

    def arrange(self, draft: LabelDraft) -> LabelDraft:
        return draft.model_copy(update={"labels": shuffled(draft.labels)})

    def show(self, draft: LabelDraft) -> str:
        return f"{draft.instruction.strip()}\n\nLabels: {'; '.join(draft.labels)}"

    def fault(self, draft: LabelDraft, text: str) -> str:
        if not 2 <= len({normalise(label) for label in draft.labels}) == len(draft.labels) <= 10:
            return "there are not two to ten different labels"
        return super().fault(draft, text)

    def tell(self, answer: LetterAnswer, draft: LabelDraft) -> str:
        said = normalise(answer.answer).strip(" .\"'`*")
        return next((one for one in draft.labels if said in (normalise(one), normalise(one).strip("."))), "")

    def wrong(self, answer: LetterAnswer, draft: LabelDraft, text: str) -> str:
        return "" if self.tell(answer, draft) else f"{answer.answer!r} is none of the labels"
