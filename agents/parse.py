"""Reading a typed answer out of a reply, for endpoints with and without guided decoding."""

from __future__ import annotations

import re
from typing import TypeVar

from pydantic import BaseModel, ValidationError

__all__ = ["Unparsed", "parse_json"]

T = TypeVar("T", bound=BaseModel)

_FENCE = re.compile(r"```(?:json)?\s*\n(.*?)```", re.DOTALL)


class Unparsed(ValueError):
    """A reply that does not hold what was asked for; the message says what is missing."""


def parse_json(text: str, shape: type[T]) -> T:
    """The JSON object in `text` as a `shape`: bare, in a code fence, or with words around it.

    Raises `Unparsed` with one line fit to be shown to the model in a repair attempt.
    """
    problem = "there is no JSON object"
    for candidate in _candidates(text):
        try:
            return shape.model_validate_json(candidate)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            problem = f"{place}: {first['msg']}" if place else str(first["msg"])
    raise Unparsed(problem)


def _candidates(text: str) -> list[str]:
    """Places where the object may be, the likeliest first."""
    stripped = text.strip()
    found = [stripped] if stripped.startswith("{") else []
    found += _FENCE.findall(text)
    start, end = text.find("{"), text.rfind("}")
    if 0 <= start < end and text[start : end + 1] != stripped:
        found.append(text[start : end + 1])
    return found
