"""Reading the answer out of a free text by the question's kind, never by its known answer.

A small model rarely gives the bare answer; a strict comparison would take a gain in format
for a gain in skill. The readers here are blind to the known answer: they look at the
response, the kind, the admissible labels and the text of the question.
"""

from __future__ import annotations

import re

from synth.records import Question
from synth.verify.choice import read_choice
from synth.verify.items import read_list
from synth.verify.number import read_number
from synth.verify.text import boxed, read_math, read_text, read_word

__all__ = ["extract_answer"]

LONGEST = 8000
"""Characters looked at, from the end, where answers stand."""
EMPHASIS = re.compile(r"\*\*|__|`")


def extract_answer(response: str, question: Question) -> str:
    """The answer a response gives, empty if it gives none. `question.answer` is not looked at."""
    text = response.strip()[-LONGEST:]
    inside = boxed(text)
    if question.kind == "math":
        return inside or read_math(text)
    text = EMPHASIS.sub("", inside or text)
    if question.kind == "number":
        return read_number(text, question.question)
    if question.kind == "choice":
        return read_choice(text, question.choices, question.question)
    if question.kind == "list":
        return ", ".join(read_list(text, question.question))
    return read_word(text, question.question) if question.kind == "word" else read_text(text)
