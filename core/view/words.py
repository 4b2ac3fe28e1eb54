"""Texts as they are shown: a passage around what was looked for, and what differs between two answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from markupsafe import Markup, escape

__all__ = ["difference", "passage"]

LENGTH = 240
"""Characters of a passage."""
COMPARED = 3000
"""Most words of two answers together that are compared: the time grows with their product."""


def passage(text: str, sought: Sequence[str]) -> Markup:
    """The beginning of a text, or the part around the first word that was looked for, those marked."""
    text = " ".join(text.split())
    pattern = _pattern(sought)
    first = pattern.search(text) if pattern else None
    start = max(0, first.start() - LENGTH // 3) if first and first.end() > LENGTH else 0
    cut = text[start : start + LENGTH]
    shown = _mark(cut, pattern) if pattern else escape(cut)
    return Markup("{}{}{}").format("… " if start else "", shown, " …" if start + LENGTH < len(text) else "")


def difference(chosen: str, rejected: str) -> tuple[Markup, Markup]:
    """Both texts, each with the words marked that the other does not have; long ones without marks."""
    a, b = _tokens(chosen), _tokens(rejected)
    if len(a) + len(b) > COMPARED:
        return escape(chosen), escape(rejected)
    better, worse = Markup(""), Markup("")
    for kind, i, j, k, m in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        here, there = escape("".join(a[i:j])), escape("".join(b[k:m]))
        if kind == "equal":
            better, worse = better + here, worse + there
        else:
            better += Markup("<ins>{}</ins>").format(here) if here else ""
            worse += Markup("<del>{}</del>").format(there) if there else ""
    return better, worse


def _tokens(text: str) -> list[str]:
    return re.findall(r"\s+|\w+|[^\w\s]", text)


def _pattern(sought: Sequence[str]) -> re.Pattern[str] | None:
    parts = sorted((re.escape(word) for word in sought if word.strip()), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(parts)})", re.IGNORECASE) if parts else None


def _mark(text: str, pattern: re.Pattern[str]) -> Markup:
    shown, last = "", 0
    for found in pattern.finditer(text):
        shown += f"{escape(text[last : found.start()])}<mark>{escape(found[0])}</mark>"
        last = found.end()
    return Markup(shown + str(escape(text[last:])))
