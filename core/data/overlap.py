"""When two questions are the same: what keeps training and held-out sets apart.

Procedural data repeats itself: families of small range give the same question under
different seeds, so sets are kept apart by the text of the question, never by the seed.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Iterator

from synth.records import Question

__all__ = ["normalise", "overlap", "question_texts", "unique"]


def normalise(text: str) -> str:
    """The text without differences of case, spacing and Unicode form (NFKC).

    Digits and punctuation stay: `12 - 5` and `12 + 5` are different questions.
    """
    plain = text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()
    return " ".join(plain.split())


def question_texts(questions: Iterable[Question]) -> frozenset[str]:
    """The normalised texts of questions, for membership tests."""
    return frozenset(normalise(question.question) for question in questions)


def unique(questions: Iterable[Question], exclude: Collection[str] = ()) -> Iterator[Question]:
    """Questions whose text was not seen before and is not in `exclude` (in any spelling)."""
    seen = {normalise(text) for text in exclude}
    for question in questions:
        text = normalise(question.question)
        if text not in seen:
            seen.add(text)
            yield question


def overlap(questions: Iterable[Question], others: Iterable[Question]) -> list[Question]:
    """The questions whose text occurs among `others`."""
    texts = question_texts(others)
    return [question for question in questions if normalise(question.question) in texts]
