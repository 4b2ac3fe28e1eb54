"""Which constraints a response follows, strictly and loosely."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synth.verify.constraints.checkers import CHECKERS

__all__ = ["LONGEST", "Checked", "check"]

LONGEST = 50_000
"""Characters of the longest response that is checked: a longer one is a run-away and follows nothing."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One verdict a constraint, in their order. What is followed strictly is followed loosely."""

    strict: tuple[bool, ...]
    loose: tuple[bool, ...]


def check(response: str, constraints: Sequence[Mapping[str, Any]]) -> Checked:
    """Hold a response against constraints that are known to be valid.

    Strict takes the response as it is. Loose also forgives a first line and a last line that
    frame the answer, and Markdown's asterisks: it is enough if one of the eight texts that
    arise by leaving these out follows the constraint. An empty response follows nothing.
    """
    if not response.strip() or len(response) > LONGEST:
        nothing = (False,) * len(constraints)
        return Checked(nothing, nothing)
    strict = tuple(_follows(response, constraint) for constraint in constraints)
    variants = tuple(_variants(response)) if not all(strict) else ()
    loose = tuple(
        followed or any(_follows(variant, constraint) for variant in variants)
        for followed, constraint in zip(strict, constraints, strict=True)
    )
    return Checked(strict, loose)


def _follows(response: str, constraint: Mapping[str, Any]) -> bool:
    return CHECKERS[constraint["type"]](response, **constraint["args"])


def _variants(response: str) -> Iterator[str]:
    """The other seven texts, each once, without the empty ones."""
    lines = response.split("\n")
    framed = ("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1]))
    texts = (text for part in (response, *framed) for text in (part, part.replace("*", "")))
    yield from (text for text in dict.fromkeys(texts) if text.strip() and text != response)
