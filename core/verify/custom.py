"""A function of the user's that says how good a response is."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from synth.errors import DataError
from synth.records import Question
from synth.reference import referred

__all__ = ["load_verifier"]


@lru_cache(maxsize=8)
def load_verifier(reference: str) -> Callable[[str, Question, bool], float]:
    """The function `module:function` names, made to return a number: True is 1, False is 0.

    The third argument says whether the response was cut off: then it counts 0, unless the function
    has a parameter `truncated`; that one is told, and judges for itself.

    Raises `DataError` if there is none; what it returns raises one too if the function fails
    or gives something else.
    """
    function: Any = referred(reference, "verifier", DataError)
    told = _takes_truncated(function)

    def score(response: str, question: Question, truncated: bool) -> float:
        if truncated and not told:
            return 0.0
        try:
            said = function(response, question, **({"truncated": truncated} if told else {}))
        except Exception as problem:
            raise DataError(
                f"the verifier {reference!r} failed on question {question.source or question.id}: "
                f"{type(problem).__name__}: {problem}",
                "correct the function; it takes a response and a Question",
            ) from problem
        if not isinstance(said, bool | int | float):
            raise DataError(
                f"the verifier {reference!r} returned {type(said).__name__}",
                "return True or False, or a number from 0 to 1",
            )
        return float(said)

    return score


def _takes_truncated(function: Any) -> bool:
    try:
        return "truncated" in inspect.signature(function).parameters
    except (TypeError, ValueError):  # no function, or one of C: calling it will tell
        return False
