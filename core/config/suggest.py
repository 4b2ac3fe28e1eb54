"""What a person probably meant: the nearest of the words that would have been right."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["listing", "nearest", "suggestion"]


def nearest(word: str, options: Iterable[str]) -> str | None:
    """The option closest to `word`: by its initials (`lr`), its spelling, or its beginning."""
    plain = {option.lower().replace("-", "_"): option for option in options}
    wanted = word.strip().lower().replace("-", "_").replace(" ", "_")
    if wanted in plain:
        return plain[wanted]
    for form, option in plain.items():
        if "_" in form and wanted == "".join(part[:1] for part in form.split("_")):
            return option
    close = get_close_matches(wanted, plain, n=1, cutoff=0.6)
    if close:
        return plain[close[0]]
    begun = (option for form, option in plain.items() if len(wanted) > 1 and form.startswith(wanted))
    return next(begun, None)


def listing(options: Iterable[str], limit: int = 12) -> str:
    """Options in one line, shortened when there are many."""
    names = list(options)
    shown = ", ".join(names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown


def suggestion(word: str, options: Iterable[str], known: str = "known here") -> str:
    """A cure for a wrong word: the nearest option, and all that are known if that helps."""
    names = list(options)
    close = nearest(word, names)
    meant = f"did you mean '{close}'?" if close else ""
    if not names or (close and len(names) > 6):
        return meant
    return f"{meant} {known}: {listing(names)}".lstrip()
