"""Forms about data: spans, fields, tables, documents to cite, pages to act on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from pydantic import Field, field_validator

from synth.data.overlap import normalise
from synth.flows.agentinstruct.forms.base import Answer, Draft, Form, found_in, rows_of, unfenced
from synth.flows.agentinstruct.forms.text import Open, TextAnswer

__all__ = ["Action", "Cited", "Described", "Fields", "Spans"]


class SpansAnswer(Answer):
    """Pieces of the text."""

    answer: list[str] = Field(default_factory=list)


class Spans(Form):
    """Pieces of the text, copied out."""

    name = "spans"
    answer = SpansAnswer
    agrees = True
    answer_hint = '{"answerable": true, "answer": ["pieces copied out of the text, in its order"]}'

    def tell(self, answer: SpansAnswer, draft: Draft) -> str:
        return "\n".join(f"- {span}" for span in answer.answer)

    def wrong(self, answer: SpansAnswer, draft: Draft, text: str) -> str:
        missing = [span for span in answer.answer if not found_in(span, text)]
        if missing:
            return f"{missing[0]!r} does not stand in the text"
        if len(set(map(normalise, answer.answer))) < len(answer.answer):
            return "a piece is named twice"
        return super().wrong(answer, draft, text)

    def key(self, answer: SpansAnswer, draft: Draft) -> str:
        return "\n".join(sorted(map(normalise, answer.answer)))

    def solved(self, response: str, answer: SpansAnswer, draft: Draft) -> bool | None:
        return all(found_in(span, response) for span in answer.answer)


class FieldsDraft(Draft):
    """Names of the fields wanted."""

    fields: list[str]


class FieldsAnswer(Answer):
    """A JSON object, as text."""

    answer: str = ""


class Fields(Form):
    """A JSON object of named fields, read out of the text."""

    name = "fields"
    draft = FieldsDraft
    answer = FieldsAnswer
    task_hint = '{"instruction": "...", "fields": ["names of the fields wanted"]}'
    answer_hint = (
        '{"answerable": true, "answer": "a JSON object with exactly these fields; null for what is not said"}'
    )

    def show(self, draft: FieldsDraft) -> str:
        wanted = f"Answer with a JSON object with the fields: {', '.join(draft.fields)}"
        return f"{draft.instruction.strip()}\n\n{wanted}"

    def fault(self, draft: FieldsDraft, text: str) -> str:
        if not draft.fields or len(set(draft.fields)) < len(draft.fields):
            return "there are no fields, or one stands twice"
        return super().fault(draft, text)

    def tell(self, answer: FieldsAnswer, draft: FieldsDraft) -> str:
        return unfenced(answer.answer).strip()

    def wrong(self, answer: FieldsAnswer, draft: FieldsDraft, text: str) -> str:
        try:
            said = json.loads(self.tell(answer, draft), parse_constant=_no_constant)
        except ValueError as error:
            return f"the answer is not JSON: {error}"
        if not isinstance(said, dict) or set(said) != set(draft.fields):
            return f"the fields are not {', '.join(draft.fields)}"
        values = list(_leaves(said))
        strange = [value for value in values if not _stands(value, text)]
        if strange:
            return f"{strange[0]!r} does not stand in the text"
        return "" if any(value not in (None, "") for value in values) else "every field is null"


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _leaves(value: Any) -> Iterator[Any]:
    """All plain values of an object, however deep."""
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _leaves(part)
    else:
        yield value


_SMALL = "zero one two three four five six seven eight nine ten eleven twelve"
_WORDS = tuple(_SMALL.split())


def _stands(value: Any, text: str) -> bool:
    """Whether a value is of the text: a string word by word, a number in figures or, if small, in words."""
    if isinstance(value, str):
        return not value or found_in(value, text)
    if isinstance(value, bool) or value is None:
        return True
    in_words = value in range(len(_WORDS)) and found_in(_WORDS[int(value)], text)
    return in_words or any(float(number) == abs(value) for number in _numbers(text))


class TableDraft(Draft):
    """A table with a task."""

    table: str


class Described(Open):
    """A table to be put into words: every number said must come from it."""

    name = "described"
    draft = TableDraft
    answer_hint = '{"answerable": true, "answer": "put into words, with no number that the table lacks"}'
    task_hint = '{"instruction": "...", "table": "a Markdown table: | a | b | lines, header and rule first"}'

    def show(self, draft: TableDraft) -> str:
        return f"{draft.instruction.strip()}\n\n{draft.table.strip()}"

    def fault(self, draft: TableDraft, text: str) -> str:
        if not rows_of(draft.table):
            return "the table is not a Markdown table with rows of equal length"
        return super().fault(draft, text)

    def wrong(self, answer: TextAnswer, draft: TableDraft, text: str) -> str:
        strange = _numbers(answer.answer) - _numbers(draft.table) - _numbers(draft.instruction)
        strange -= {str(n) for n in range(len(rows_of(draft.table)) + 1)}
        if strange:
            return f"the number {min(strange)} does not stand in the table"
        return super().wrong(answer, draft, text)


def _numbers(text: str) -> set[str]:
    return {number.replace(",", "") for number in re.findall(r"\d[\d,]*(?:\.\d+)?", text)}


class CitedDraft(Draft):
    """A question to several documents, which are put in place by the flow."""

    documents: list[str] = Field(default_factory=list)


class CitedAnswer(TextAnswer):
    """An answer with the numbers of the documents it rests on."""

    documents: list[int] = Field(default_factory=list)


class Cited(Open):
    """A question to several documents: the answer names those it rests on."""

    name = "cited"
    draft = CitedDraft
    answer = CitedAnswer
    task_hint = '{"instruction": "the question"}'
    answer_hint = '{"answerable": true, "answer": "...", "documents": [numbers of the documents it rests on]}'

    def show(self, draft: CitedDraft) -> str:
        shown = "\n\n".join(f"Document {n}:\n{text}" for n, text in enumerate(draft.documents, 1))
        end = "Answer from the documents alone and name those the answer rests on, as in [1]."
        return f"{shown}\n\n{draft.instruction.strip()}\n{end}".strip()

    def fault(self, draft: CitedDraft, text: str) -> str:
        few = len(draft.documents) < 2
        return "there are no other documents to put beside this one" if few else super().fault(draft, text)

    def tell(self, answer: CitedAnswer, draft: CitedDraft) -> str:
        marks = "".join(f"[{number}]" for number in sorted(set(answer.documents)))
        return answer.answer.strip() if _marked(answer) else f"{answer.answer.strip()} {marks}".strip()

    def wrong(self, answer: CitedAnswer, draft: CitedDraft, text: str) -> str:
        known = range(1, len(draft.documents) + 1)
        if not answer.answer.strip():
            return "the answer is empty"
        if _marked(answer) - set(answer.documents):
            return f"it marks {sorted(_marked(answer))} and names {sorted(set(answer.documents))}"
        if not answer.documents or any(number not in known for number in answer.documents):
            return f"it cites {answer.documents}, and there are documents 1 to {len(draft.documents)}"
        if text in draft.documents and draft.documents.index(text) + 1 not in answer.documents:
            return f"it does not cite document {draft.documents.index(text) + 1}, which the question is about"
        return super().wrong(answer, draft, text)


def _marked(answer: CitedAnswer) -> set[int]:
    """The documents that are marked in the answer itself."""
    return {int(number) for number in re.findall(r"\[(\d+)\]", answer.answer)}


class PageDraft(Draft):
    """A page as an agent sees it."""

    page: str


class ActionAnswer(Answer):
    """One step on a page."""

    action: str = ""
    element: int = 0
    value: str = ""

    @field_validator("action")
    @classmethod
    def _small(cls, action: str) -> str:
        return action.strip().lower()


class Action(Form):
    """One step towards a goal on a page of numbered elements."""

    name = "action"
    draft = PageDraft
    answer = ActionAnswer
    agrees = True
    task_hint = '{"instruction": "the goal", "page": "a page as lines: [1] button \'Search\', [2] ..."}'
    answer_hint = (
        '{"reason": "...", "answerable": true, '
        '"action": "click, type, select or stop", "element": 1, "value": ""}'
    )

    def show(self, draft: PageDraft) -> str:
        return (
            f"{draft.page.strip()}\n\nGoal: {draft.instruction.strip()}\n"
            'What is the next step? Answer as: click [n], type [n] "text", select [n] "option", or stop.'
        )

    def fault(self, draft: PageDraft, text: str) -> str:
        numbers = re.findall(r"^\s*\[(\d+)\]", draft.page, re.MULTILINE)
        if len(numbers) < 3 or len(set(numbers)) < len(numbers):
            return "the page has fewer than three elements, or a number stands twice"
        return super().fault(draft, text)

    def tell(self, answer: ActionAnswer, draft: PageDraft) -> str:
        if answer.action == "stop":
            return "stop"
        value = f' "{answer.value}"' if answer.action in ("type", "select") else ""
        return f"{answer.action} [{answer.element}]{value}"

    def wrong(self, answer: ActionAnswer, draft: PageDraft, text: str) -> str:
        if answer.action not in ("click", "type", "select", "stop"):
            return f"{answer.action!r} is no action"
        line = next((x for x in draft.page.splitlines() if x.strip().startswith(f"[{answer.element}]")), "")
        if answer.action != "stop" and not line:
            return f"the page has no element [{answer.element}]"
        if answer.action == "select" and not found_in(answer.value, line):
            return f"element [{answer.element}] does not offer {answer.value!r}"
        if answer.action == "type" and re.match(r"\s*\[\d+\]\s*(link|button)\b", line, re.IGNORECASE):
            return f"nothing can be typed into element [{answer.element}]"
        return "a text to type is missing" if answer.action == "type" and not answer.value.strip() else ""
