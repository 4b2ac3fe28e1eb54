"""How words are added to a text so that it stays what it is: quoted, in capitals, in small letters."""

from __future__ import annotations

from itertools import pairwise

from synth.verify.constraints.length import sentence_spans

__all__ = ["FILLERS", "append", "grouped", "prepend"]

FILLERS = (
    "There is more to say about it.",
    "Other people may see it in another way.",
    "This alone is worth a second look.",
    "It depends on where one stands.",
    "Every case is a little different.",
    "That is how it usually goes.",
)
"""Sentences that fit anywhere, without commas."""


def append(text: str, addition: str, gap: str = " ") -> str:
    """The text with more at its end, inside the closing quotation mark if there is one."""
    body, mark = (text[:-1], '"') if _quoted(text) else (text, "")
    return f"{body.rstrip()}{gap}{_like(text, addition)}{mark}"


def prepend(text: str, addition: str, gap: str = "\n\n") -> str:
    """The text with more at its beginning, inside the opening quotation mark if there is one."""
    body, mark = (text[1:], '"') if _quoted(text) else (text, "")
    return f"{mark}{_like(text, addition)}{gap}{body.lstrip()}"


def grouped(text: str, number: int) -> list[str]:
    """The sentences of a text in so many groups of about one size; fillers where there are too few."""
    sentences = [text[start:end].strip() for start, end in sentence_spans(text)]
    sentences += (_like(text, FILLERS[place % len(FILLERS)]) for place in range(number - len(sentences)))
    bounds = [len(sentences) * place // number for place in range(number + 1)]
    return [" ".join(sentences[start:end]) for start, end in pairwise(bounds)]


def _quoted(text: str) -> bool:
    return len(text) > 1 and text[0] == text[-1] == '"'


def _like(text: str, addition: str) -> str:
    """The addition in the text's own case, if that is all small letters or all capitals."""
    if text.islower():
        return addition.lower()
    return addition.upper() if text.isupper() else addition
