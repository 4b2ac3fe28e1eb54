"""A judgement: several votes on one response, and the critique that goes with their majority."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["Judgement", "anchored", "lenient"]

_LAST = re.compile(r"(?:^|\n)[\W_]*final judge?ment(?: is)?[\W_]*\b(yes|no)[\W_]*$", re.IGNORECASE)


def lenient(text: str) -> bool | None:
    """The verdict as the published code reads it: after the first "Final Judgement", whichever of
    "Yes" and "No" comes first, in the middle of a word too. A reply that repeats the hint
    "(Yes or No)" there is thus a Yes, and one that goes on with "Note" a No.
    """
    _, mark, after = text.partition("Final Judgement")
    found = {word: after.find(word) for word in ("Yes", "No") if word in after}
    return min(found, key=lambda word: found[word]) == "Yes" if mark and found else None


def anchored(text: str) -> bool | None:
    """The verdict a reply ends with: from the beginning of a line "Final Judgement", then Yes or No as a
    word, on that line or as the last one, and nothing else."""
    match = _LAST.search(text)
    return match[1].lower() == "yes" if match else None


@dataclass(frozen=True, slots=True)
class Judgement:
    """Votes on one response, None where a vote could not be read.

    `critique` is the first text that agrees with the majority; `keys` name the calls.
    """

    votes: tuple[bool | None, ...] = ()
    critique: str = ""
    keys: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, votes: Sequence[bool | None], texts: Sequence[str] = (), keys: Sequence[str] = ()
    ) -> Judgement:
        """Votes with the texts they were read from."""
        bare = cls(tuple(votes))
        agreeing = (text for vote, text in zip(votes, texts, strict=False) if vote is bare.verdict)
        critique = "" if bare.verdict is None else next(agreeing, "")
        return cls(tuple(votes), critique, tuple(keys))

    @property
    def yes(self) -> int:
        return sum(vote is True for vote in self.votes)

    @property
    def no(self) -> int:
        return sum(vote is False for vote in self.votes)

    @property
    def said(self) -> int:
        """Votes that could be read."""
        return self.yes + self.no

    @property
    def verdict(self) -> bool | None:
        """What the majority says; None without one."""
        return None if self.yes == self.no else self.yes > self.no

    @property
    def value(self) -> float | None:
        """Share of Yes among the votes that could be read; None without a majority."""
        return None if self.verdict is None else self.yes / self.said

    def refuted(self, checked: bool | None) -> bool:
        """Whether a checker, if one can say, says otherwise than the majority."""
        return None not in (checked, self.verdict) and checked is not self.verdict

    @property
    def contested(self) -> Literal["yes", "no"] | None:
        """The majority's verdict if a vote went against it, else None."""
        if self.verdict is None or not min(self.yes, self.no):
            return None
        return "yes" if self.verdict else "no"
