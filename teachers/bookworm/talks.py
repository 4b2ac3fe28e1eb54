"""Conversations: a sentence changed from turn to turn; each turn rests on what was said before."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

from synth.teachers.bookworm.reading import sentences

__all__ = ["WAYS", "WRITERS", "go_on"]

Said = dict[str, Any]
Change = Callable[[str], str]
FIRST: dict[str, Change] = {
    "Write this sentence in capital letters: {}": str.upper,
    "Write this sentence in small letters: {}": str.lower,
    "Here is a sentence. Leave out its last word, please: {}": lambda s: " ".join(s.split()[:-1]),
    "Can you put a comma after every word of this? {}": lambda s: ", ".join(_bare(s).split()),
    "Please begin every word of this sentence with a capital: {}": lambda s: _each(s, _capital),
}
"""A user's first turn, with the sentence in place of the braces -> what is made of it."""
CHANGES: dict[str, Change] = {
    "Now take out the punctuation.": lambda s: _bare(s),
    "Put the words in the opposite order, please.": lambda s: " ".join(s.split()[::-1]),
    "Give me only the first four words of that.": lambda s: " ".join(s.split()[:4]),
    "And only the last three words of that?": lambda s: " ".join(s.split()[-3:]),
    "Swap the first and the last word.": lambda s: " ".join(_swapped(s.split())),
    "Leave out every second word.": lambda s: " ".join(s.split()[::2]),
    "Replace each vowel by a star, if you would.": lambda s: re.sub("[aeiou]", "*", s, flags=re.IGNORECASE),
    "How many words are left?": lambda s: str(len(s.split())),
    "Write those words one to a line, as a list.": lambda s: "\n".join(f"- {word}" for word in s.split()),
    "Join the words with hyphens instead of blanks.": lambda s: "-".join(s.split()),
    "Number the words, one to a line.": lambda s: "\n".join(f"{n}. {w}" for n, w in enumerate(s.split(), 1)),
    "Put the words into alphabetical order.": lambda s: " ".join(sorted(s.split(), key=str.lower)),
}
"""A user's turn -> what it makes of the last answer."""
LONGER = {
    "Give me only the first four words of that.": 4,
    "And only the last three words of that?": 3,
    "Leave out every second word.": 3,
}
"""A turn -> the words of which there must be more."""
BACK: dict[str, Change] = {
    "Sorry, I did not mean that. Give me the sentence as I wrote it.": lambda s: s,
    "No, leave that. Just tell me how many words my sentence had.": lambda s: str(len(s.split())),
    "Forget that. Write my sentence in capital letters instead.": str.upper,
    "Actually no. Which is the longest word of my sentence?": lambda s: max(re.findall(r"\w+", s), key=len),
    "On second thought: what was the first word of my sentence?": lambda s: s.split()[0],
    "Wait, that is not what I need. Give me my sentence backwards, word by word.": lambda s: " ".join(
        s.split()[::-1]
    ),
}
"""A user's turn -> what it makes of the sentence the conversation began with."""
ENDS = (
    "How many words are left?",
    "Write those words one to a line, as a list.",
    "Join the words with hyphens instead of blanks.",
    "Number the words, one to a line.",
    "Put the words into alphabetical order.",
)


def _bare(text: str) -> str:
    return re.sub(r"[^\w\s]", "", text)


def _each(text: str, change: Change) -> str:
    return " ".join(map(change, text.split()))


def _capital(word: str) -> str:
    return word[:1].upper() + word[1:]


def _swapped(words: list[str]) -> list[str]:
    return [words[-1], *words[1:-1], words[0]] if len(words) > 1 else words


def _openings(text: str, rng: random.Random) -> list[tuple[str, str]]:
    """Two first turns, each with its answer."""
    short = [s for s in sentences(text) if len(s.split()) <= 18 and len(set(_lengths(s))) == len(_lengths(s))]
    chosen = rng.sample(short, min(2, len(short)))
    return [(way.format(s), FIRST[way](s)) for s in chosen for way in [rng.choice(list(FIRST))]]


def _lengths(sentence: str) -> list[int]:
    """The lengths of its longest words: a tie would leave it open which is the longest."""
    longest = sorted(map(len, re.findall(r"\w+", sentence)))[-2:]
    return longest


def _between(last: str, rng: random.Random, count: int) -> tuple[list[str], str]:
    """Up to so many changes that leave something to change, and what they make of the last answer."""
    turns: list[str] = []
    for turn in rng.sample([one for one in CHANGES if one not in ENDS], len(CHANGES) - len(ENDS)):
        made = CHANGES[turn](last)
        if len(turns) < count and made != last and len(last.split()) > LONGER.get(turn, 2):
            turns, last = [*turns, turn], made
    return turns, last


def writing_together(text: str) -> list[Said]:
    """Two or three changes, each of what the one before left."""
    rng = random.Random(text)
    found = []
    for opening, made in _openings(text, rng):
        between, _ = _between(made, rng, rng.randint(1, 2))
        turns = [opening, *between, rng.choice(ENDS)]
        found.append({"instruction": "changing a sentence step by step", "turns": turns})
    return found


def changing_mind(text: str) -> list[Said]:
    """A change, then one that takes it back."""
    rng = random.Random(text)
    return [
        {
            "instruction": "changing a sentence, and taking it back",
            "turns": [opening, *_between(made, rng, 1)[0], rng.choice(list(BACK))],
        }
        for opening, made in _openings(text, rng)
    ]


def _opened(turn: str) -> tuple[str, str] | None:
    """The way a first turn asks in, and its sentence."""
    for way in FIRST:
        start = way.removesuffix("{}")
        if turn.startswith(start):
            return way, turn.removeprefix(start).strip()
    return None


def _begin(text: str, task: str) -> Said:
    """The answer to a first turn. Raises `ValueError` for one it does not know."""
    opened = _opened(task)
    if opened is None:
        raise ValueError(f"it cannot begin with this turn: {task[:80]!r}")
    way, sentence = opened
    return {"answer": FIRST[way](sentence)}


def go_on(history: str, task: str) -> Said:
    """The answer to a turn that has others before it. Raises `ValueError` for one it does not know."""
    spoken = re.split(r"^(?=(?:user|assistant|system): )", history, flags=re.MULTILINE)
    last = [one.removeprefix("assistant: ").strip() for one in spoken if one.startswith("assistant: ")]
    users = [one.removeprefix("user: ").strip() for one in spoken if one.startswith("user: ")]
    first = next(filter(None, map(_opened, users)), None)
    if task in CHANGES and last:
        return {"answer": CHANGES[task](last[-1])}
    if task in BACK and first:
        return {"answer": BACK[task](first[1])}
    raise ValueError(f"it cannot go on from this turn: {task[:80]!r}")


WRITERS = {"writing_together": writing_together, "changing_mind": changing_mind}
WAYS = tuple((way.removesuffix("{}"), _begin) for way in FIRST)
