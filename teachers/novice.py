"""A novice: a program that answers a request with constraints, and follows each of them only by chance.

A tiny student trained from nothing on its answers is one that follows instructions half of the
time: what preference training has to start from. Asked again after a complaint, it follows
nearly always. What it says about the request is the same small talk every time.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from synth.records import Message
from synth.teachers.edits import edit
from synth.verify.constraints import find_constraints

__all__ = ["ASKED_AGAIN", "AT_ONCE", "answer", "small_talk"]

AT_ONCE, ASKED_AGAIN = 0.5, 0.9
"""Share of the constraints that are followed in a first answer, and in one after a complaint."""

OPENERS = (
    "Well, this is easy to say",
    "As I see it, there is much to tell",
    "To begin with, it takes some time",
    "In my view, it is a good thing",
    "First of all, one has to look closely",
    "Most of the time, it goes well",
    "On some days, it is hard work",
    "All in all, people like it",
)
CLOSERS = (
    "and nobody minds, not even the neighbours.",
    "but it pays off, sooner or later.",
    "so take your time, and be patient.",
    "and that is, in short, the whole story.",
    "but few know it, as far as I can tell.",
    "so try it, if you have not yet.",
)
"""Every answer has commas, capitals and small letters: it follows no constraint unless it is edited."""


def answer(messages: Sequence[Message], sample: int = 0) -> str:
    """Small talk of one sentence, each constraint of the first request followed by chance.

    The same messages and sample give the same answer. Raises `ValueError` for a request
    without constraints.
    """
    asked = next(message["content"] for message in messages if message["role"] == "user")
    constraints = find_constraints(asked)
    if not constraints:
        raise ValueError(f"no known constraint in the request {asked[:80]!r}")
    rng = random.Random(f"{sample}/{messages[-1]['content']}")
    text = small_talk(rng)
    share = ASKED_AGAIN if any(message["role"] == "assistant" for message in messages) else AT_ONCE
    for one in constraints:
        if rng.random() < share:
            text = edit(text, one)
    return text


def small_talk(rng: random.Random) -> str:
    """One sentence that heeds nothing it was asked."""
    return f"{rng.choice(OPENERS)} {rng.choice(CLOSERS)}"
