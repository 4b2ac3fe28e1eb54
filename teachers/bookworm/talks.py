"""Conversations: a sentence changed from turn to turn; each turn rests on what was said before."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

from synth.teachers.bookworm.reading import sentences

__all__ = ["WRITERS", "go_on"]

Said = dict[str, Any]
FIRST = ("Write this sentence in capital letters: {}", "Write this sentence in small letters: {}")
CHANGES: dict[str, Callable[[str], str]] = {
    "Now take out the punctuation.": lambda s: re.sub(r"[^\w\s]", "", s),
    "Put the words in the opposite order, please.": lambda s: " ".join(s.split()[::-1]),
    "Give me only the first four words of that.": lambda s: " ".join(s.split()[:4]),
    "And only the last three words of that?": lambda s: " ".join(s.split()[-3:]),
    "How many words are left?": lambda s: str(len(s.split())),
    "Write those words one to a line, as a list.": lambda s: "\n".join(f"- {word}" for word in s.split()),
    "Join the words with hyphens instead of blanks.": lambda s: "-".join(s.split()),
}
"""A user's turn -> what it makes of the last answer."""
BACK: dict[str, Callable[[str], str]] = {
    "Sorry, I did not mean that. Give me the sentence as I wrote it.": lambda s: s,
    "No, leave that. Just tell me how many words my sentence had.": lambda s: str(len(s.split())),
    "Forget that. Write my sentence in capital letters instead.": str.upper,
    "Actually no. Which is the longest word of my sentence?": lambda s: max(re.findall(r"\w+", s), key=len),
}
"""A user's turn -> what it makes of the sentence the conversation began with."""
ENDS = (
    "How many words are left?",
    "Write those words one to a line, as a list.",
    "Join the words with hyphens instead of blanks.",
)


def _opening(text: str, rng: random.Random, count: int) -> list[str]:
    short = [s for s in sentences(text) if len(s.split()) <= 18]
    return [rng.choice(FIRST).format(s) for s in rng.sample(short, min(count, len(short)))]


def writing_together(text: str) -> list[Said]:
    """Two or three changes, each of what the one before left."""
    rng = random.Random(text)
    found = []
    for opening in _opening(text, rng, 2):
        between = rng.sample([turn for turn in CHANGES if turn not in ENDS], rng.randint(1, 2))
        turns = [opening, *between, rng.choice(ENDS)]
        found.append({"instruction": "changing a sentence step by step", "turns": turns})
    return found


def changing_mind(text: str) -> list[Said]:
    """A change, then one that takes it back."""
    rng = random.Random(text)
    ways = [turn for turn in CHANGES if turn not in ENDS]
    return [
        {
            "instruction": "changing a sentence, and taking it back",
            "turns": [opening, rng.choice(ways), rng.choice(list(BACK))],
        }
        for opening in _opening(text, rng, 2)
    ]


def go_on(history: str, task: str) -> Said:
    """The answer to a turn that has others before it. Raises `ValueError` for one it does not know."""
    spoken = re.split(r"^(?=(?:user|assistant|system): )", history, flags=re.MULTILINE)
    last = [one.removeprefix("assistant: ").strip() for one in spoken if one.startswith("assistant: ")]
    first = next((one for one in spoken if one.startswith("user: Write this sentence")), "")
    if task in CHANGES and last:
        return {"answer": CHANGES[task](last[-1])}
    if task in BACK and first:
        return {"answer": BACK[task](first.split(": ", 2)[2].strip())}
    raise ValueError(f"it cannot go on from this turn: {task[:80]!r}")


WRITERS = {"writing_together": writing_together, "changing_mind": changing_mind}
