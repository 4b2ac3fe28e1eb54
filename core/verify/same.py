"""When two extracted answers are the same answer."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from synth.data.overlap import normalise
from synth.records import Question
from synth.verify.items import items
from synth.verify.number import plain_number

__all__ = ["same_answer"]

LATEX = [
    (re.compile(r"\\[dt]frac"), r"\\frac"),
    (re.compile(r"\\(?:left|right|,|;|!|quad|displaystyle)(?![a-zA-Z])"), ""),
    (re.compile(r"\\(?:text|mathrm|textbf)\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\^\{?\\circ\}?|\\%|\\\$|\$|\s"), ""),
]


def same_answer(answer: str, other: str, question: Question) -> bool:
    """Whether two answers to a question agree: numbers by value, words without case, lists in order.

    Fractions are compared as written, because reducing one may be the task. Expressions of
    kind `math` are compared as text after removing differences of LaTeX style; comparing
    their meaning is the `math` verifier's work.
    """
    if not answer.strip() or not other.strip():
        return False
    if question.kind == "list":
        ours, theirs = items(answer), items(other)
        return len(ours) == len(theirs) and all(map(_same_word, ours, theirs))
    if question.kind == "math":
        return _same_word(_latex(answer), _latex(other))
    return _same_word(answer, other)


def _same_word(one: str, other: str) -> bool:
    first, second = _value(one), _value(other)
    if first is not None and second is not None:
        return first == second
    return _folded(one) == _folded(other)


def _value(text: str) -> Decimal | None:
    try:
        value = Decimal(plain_number(text.strip()))
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def _folded(text: str) -> str:
    return normalise(text).strip(" \"'“”.,;:!?")


def _latex(text: str) -> str:
    for pattern, replacement in LATEX:
        text = pattern.sub(replacement, text)
    return text.rstrip(".")
