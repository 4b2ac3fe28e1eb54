"""Constraints on parts a response must contain: placeholders and a postscript."""

from __future__ import annotations

import re

from synth.verify.constraints.relation import Count, Text

__all__ = ["number_placeholders", "postscript"]

MARKERS = {"P.P.S": re.compile(r"p\.\s?p\.\s?s"), "P.S.": re.compile(r"p\.\s?s\.")}
"""The two usual marks, which may be written with spaces, in lower case."""


def number_placeholders(response: str, *, num_placeholders: Count) -> bool:
    """At least so many places to fill in, in square brackets such as [name]."""
    return sum(map(_placeholders, response.split("\n"))) >= num_placeholders


def postscript(response: str, *, postscript_marker: Text) -> bool:
    """A postscript's mark stands somewhere, in any case."""
    known = MARKERS.get(postscript_marker.strip())
    text = response.lower()
    return known.search(text) is not None if known else postscript_marker.strip().lower() in text


def _placeholders(line: str) -> int:
    """Pairs of brackets on a line: each opening with the nearest closing one, none in another."""
    count, place = 0, 0
    while (opened := line.find("[", place)) >= 0 and (closed := line.find("]", opened)) >= 0:
        count, place = count + 1, closed + 1
    return count
