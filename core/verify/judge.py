"""Deciding whether a response answers its question."""

from __future__ import annotations

from typing import Literal

from synth.records import Judged, Question
from synth.verify.extract import extract_answer
from synth.verify.math import same_expression
from synth.verify.same import same_answer

__all__ = ["judge"]

SYMBOLIC = ("number", "math", "text")
"""Kinds whose answers the math verifier compares; it has no notion of labels and lists."""


async def judge(response: str, question: Question, verifier: Literal["answer", "math"] = "answer") -> Judged:
    """`correct` reads the answer out of the response; `strict` wants the response to be the answer.

    What is strictly right is right. The `math` verifier also takes an expression of the same
    meaning; one that it cannot read, or not in time, is wrong.
    """
    strict = " ".join(response.split()) == " ".join(question.answer.split())
    extracted = extract_answer(response, question)
    correct = strict or same_answer(extracted, question.answer, question)
    if not correct and extracted and verifier == "math" and question.kind in SYMBOLIC:
        correct = await same_expression(extracted, question.answer)
    return Judged(
        id=question.id,
        family=question.family,
        question=question.question,
        answer=question.answer,
        response=response,
        extracted=extracted,
        correct=correct,
        strict=strict,
    )
