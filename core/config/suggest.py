"""What a person probably meant: the nearest of the words that would have been right."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["listing", "nearest", "suggestion"]


def nearest(word: str, options: Iterable[str]) -> str | None:
    """The option closest to `word`: by spelling, by its beginning, or by its initials (`lr`)."""
    plain = {option.lower().replace("-", "_"): option for option in options}
    wanted = word.strip().lower().replace("-", "_").replace(" ", "_")
    if wanted in plain:
        return plain[wanted]
    close = get_close_matches(wanted, plain, n=1, cutoff=0.6)
    if close:
        return plain[close[0]]
    if len(wanted) < 2:
        return None
    for form, option in plain.items():
        initials = "".join(part[0] for part in form.split("_") if part)
        if form.startswith(wanted) or (len(initials) > 1 and initials == wanted):
            return option
    return None


def listing(options: Iterable[str], limit: int = 12) -> str:
    """Options in one line, shortened when there are many."""
    names = list(options)
    shown = ", ".join(names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown


def suggestion(word: str, options: Iterable[str], known: str = "known here") -> str:
    """A cure for a wrong word: the nearest option if there is one, and all that are known."""
    names = list(options)
    if not names:
        return ""
    close = nearest(word, names)
    return f"did you mean '{close}'? {known}: {listing(names)}" if close else f"{known}: {listing(names)}"
