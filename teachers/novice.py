"""A novice: a program that answers a request with constraints, and follows each of them only by chance.

A tiny student trained from nothing on its answers is one that follows instructions half of the
time: what preference training has to start from. What a complaint names it follows nearly
always. What it says about the request is the same small talk every time.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from synth.records import Message
from synth.teachers.edits import edit
from synth.verify.constraints import find_constraints

__all__ = ["ASKED_AGAIN", "AT_ONCE", "answer", "small_talk"]

AT_ONCE, ASKED_AGAIN = 0.5, 0.9
"""Share of the constraints of a request that are followed, and of those that a complaint names."""

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
    """Small talk of one sentence, each constraint of the request and of a complaint followed by chance.

    The request is the first turn of the user's, a complaint the last one after a reply. The
    same messages and sample give the same answer. Raises `ValueError` for a request without
    constraints.
    """
    asked = next(message["content"] for message in messages if message["role"] == "user")
    constraints = find_constraints(asked)
    if not constraints:
        raise ValueError(f"no known constraint in the request {asked[:80]!r}")
    replied = any(message["role"] == "assistant" for message in messages)
    again = find_constraints(messages[-1]["content"]) if replied else []
    named = {one["type"] for one in again}
    once = [one for one in constraints if one["type"] not in named]
    rng = random.Random(f"{sample}/{messages[-1]['content']}")
    text = small_talk(rng)
    for one, share in (*((one, AT_ONCE) for one in once), *((one, ASKED_AGAIN) for one in again)):
        if rng.random() < share:
            text = edit(text, one)
    return text


def small_talk(rng: random.Random) -> str:
    """One sentence that heeds nothing it was asked."""
    return f"{rng.choice(OPENERS)} {rng.choice(CLOSERS)}"
