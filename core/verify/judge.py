"""Deciding whether a response answers its question: which verifier says so, and how."""

from __future__ import annotations

from typing import Any

from synth.errors import DataError
from synth.records import Judged, Question
from synth.verify.constraints import check
from synth.verify.custom import load_verifier
from synth.verify.extract import extract_answer
from synth.verify.math import same_expression
from synth.verify.same import same_answer

__all__ = ["judge"]

SYMBOLIC = ("number", "math", "text")
"""Kinds whose answers the math verifier compares; it has no notion of labels and lists."""


async def judge(
    response: str, question: Question, verifier: str = "answer", *, truncated: bool = False
) -> Judged:
    """The response as `answer`, `math`, `constraints` or a `module:function` of the user's sees it.

    A response that is empty, or `truncated` by the token limit, follows no constraint and
    satisfies no function (but see `load_verifier`); an answer in it counts. Raises `DataError`:
    no constraints to check, or a function that cannot be called.
    """
    if verifier in ("answer", "math"):
        return await _answered(response, question, verifier)
    whole = "" if truncated else response
    if verifier == "constraints":
        return _followed(response, whole, question)
    return _scored(response, truncated, question, verifier)


async def _answered(response: str, question: Question, verifier: str) -> Judged:
    """`correct` reads the answer out of the response; `strict` wants the response to be the answer.

    What is strictly right is right. The `math` verifier also takes an expression of the same
    meaning; one that it cannot read, or not in time, is wrong.
    """
    strict = " ".join(response.split()) == " ".join(question.answer.split())
    extracted = extract_answer(response, question)
    correct = strict or same_answer(extracted, question.answer, question)
    if not correct and extracted and verifier == "math" and question.kind in SYMBOLIC:
        correct = await same_expression(extracted, question.answer)
    return _judged(response, question, extracted=extracted, correct=correct, strict=strict)


def _followed(response: str, whole: str, question: Question) -> Judged:
    """`correct` forgives what frames an answer, `strict` does not; `score` is the share followed."""
    constraints = question.meta.get("constraints")
    if not constraints:
        raise DataError(
            f"the question {question.question[:60]!r} ({question.source or question.id}) has no constraints",
            "write 'verifier: answer', or take prompts that have: source instructions, or rows with "
            "instruction_id_list and kwargs",
        )
    checked = check(whole, constraints)
    score = sum(checked.loose) / len(checked.loose)
    strict = all(checked.strict)
    return _judged(
        response, question, correct=all(checked.loose), strict=strict, score=score, parts=checked.strict
    )


def _scored(response: str, truncated: bool, question: Question, verifier: str) -> Judged:
    """Right at a score of 1; the function is not asked about an empty response."""
    score = load_verifier(verifier)(response, question, truncated) if response.strip() else 0.0
    return _judged(response, question, correct=score >= 1, strict=score >= 1, score=score)


def _judged(response: str, question: Question, **verdict: Any) -> Judged:
    return Judged(
        id=question.id,
        family=question.family,
        question=question.question,
        answer=question.answer,
        response=response,
        **{"extracted": "", **verdict},
    )
