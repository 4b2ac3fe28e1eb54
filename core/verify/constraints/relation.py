"""How a count is held against a bound, and the types of the arguments all constraints share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

__all__ = ["Count", "Relation", "Text", "Words", "compare"]

Relation = Literal["at least", "less than"]
Count = Annotated[int, Field(ge=0)]
Text = Annotated[str, Field(min_length=1)]
Words = Annotated[tuple[Text, ...], Field(min_length=1)]


def compare(found: int, relation: Relation, bound: int) -> bool:
    """Whether `found` is at least, or less than, `bound`."""
    return found >= bound if relation == "at least" else found < bound
