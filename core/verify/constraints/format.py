"""Constraints on the form of a response: lists, sections, highlights, title, JSON, fixed answers."""

from __future__ import annotations

import json
import re

from synth.verify.constraints.relation import Count, Text

__all__ = [
    "CONSTRAINED_ANSWERS",
    "constrained_response",
    "json_format",
    "multiple_sections",
    "number_bullet_lists",
    "number_highlighted_sections",
    "title",
]

CONSTRAINED_ANSWERS = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
BULLET = re.compile(r"\s*(?:-|\*(?!\*))")
ITALIC, BOLD = re.compile(r"\*([^\n*]*)\*"), re.compile(r"\*\*([^\n*]*)\*\*")
FENCES = ("```json", "```Json", "```JSON", "```")


def number_bullet_lists(response: str, *, num_bullets: Count) -> bool:
    """Exactly so many bullet points: lines that begin with `* ` or `-`."""
    return sum(BULLET.match(line) is not None for line in response.split("\n")) == num_bullets


def number_highlighted_sections(response: str, *, num_highlights: Count) -> bool:
    """At least so many highlights in Markdown, `*so*` or `**so**`, that are not empty."""
    found = (*ITALIC.findall(response), *BOLD.findall(response))
    return sum(bool(inside.strip()) for inside in found) >= num_highlights


def multiple_sections(response: str, *, section_spliter: Text, num_sections: Count) -> bool:
    """At least so many sections, each begun by a mark with a number, such as `Section 1`."""
    mark = re.escape(section_spliter.strip())
    return len(re.findall(rf"{mark}\s?\d", response)) >= num_sections


def title(response: str) -> bool:
    """A title in double angular brackets, `<<title>>`, that is not empty."""
    return any(map(_titled, response.split("\n")))


def constrained_response(response: str) -> bool:
    """One of the three admissible answers stands in it, word for word."""
    return any(answer in response for answer in CONSTRAINED_ANSWERS)


def json_format(response: str) -> bool:
    """The whole response is JSON, bare or in a Markdown fence."""
    text = response.strip()
    fence = next((mark for mark in FENCES if text.startswith(mark)), "")
    try:
        json.loads(text.removeprefix(fence).removesuffix("```").strip())
    except (ValueError, RecursionError):
        return False
    return True


def _titled(line: str) -> bool:
    """From the first `<<` to the last `>>` there is more than brackets and spaces."""
    start, end = line.find("<<"), line.rfind(">>")
    return 0 <= start < end and bool(line[start:end].lstrip("<").rstrip(">").strip())
