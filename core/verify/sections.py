"""Sections of an answer: lines that begin with a bold heading. Paths for `evaluate.verifier`."""

from __future__ import annotations

import re

from synth.records import Question

__all__ = ["count_distinct", "count_sections", "headings"]

HEADING = re.compile(r"^[ \t]*(?:#+[ \t]*|\d+[.)][ \t]*|[-*][ \t]+)?\*\*([^*\n]+)\*\*", re.MULTILINE)
"""A line that begins with bold text, be it numbered, a list item or a Markdown heading as well."""


def headings(text: str) -> list[str]:
    """The bold headings of a text, in order, without marks and case."""
    return [found.strip(" \t:.").casefold() for found in HEADING.findall(text)]


def count_sections(response: str, question: Question, truncated: bool = False) -> float:
    """Bold headings: the quality measured in the controlled experiment of arXiv 2507.06187.

    Those of a `truncated` response count as well: a student that goes on without end has many.
    """
    return float(len(headings(response)))


def count_distinct(response: str, question: Question, truncated: bool = False) -> float:
    """Bold headings that differ: a student that repeats one heading gains nothing by it."""
    return float(len(set(headings(response))))
