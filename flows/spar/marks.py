"""Text between `[[start]]` and `[[end]]`: how a model sets an answer apart from its thinking."""

from __future__ import annotations

__all__ = ["MARKS", "before_marks", "between_marks"]

MARKS = START, END = "[[start]]", "[[end]]"


def between_marks(text: str) -> str | None:
    """What stands between the last start mark that is closed and its end; None without both or
    with nothing between them."""
    before, end, _ = text.rpartition(END)
    _, start, inner = before.rpartition(START)
    return inner.strip() or None if start and end else None


def before_marks(text: str) -> str:
    """What a model wrote before it began its answer."""
    return text.rpartition(START)[0].strip()
