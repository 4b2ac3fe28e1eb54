"""Found poems: acrostics of a word, from lines that the text itself has."""

from __future__ import annotations

import random
import re
from typing import Any

from synth.teachers.bookworm.reading import nouns, paragraphs, wordlike

__all__ = ["WAYS", "WRITERS"]

Said = dict[str, Any]
_MARK = re.compile(r"[.;:,!?()`*\[\]]+\s*|\s[-\u2013\u2014]\s")
_CUT = re.compile(
    r"^(?:is|are|was|were|has|had|than|of|not|be|been|by)\b|"
    r"\b(?:a|an|the|of|to|in|on|at|by|for|from|with|as|and|or|but|is|are|be|its|their|no|than|that)$"
)
"""What shows that a line was cut out of its sentence in the wrong place."""
START = "Make an acrostic poem on the word "


def _lines(text: str) -> list[str]:
    """Ends of clauses, of three to six words, each once."""
    clauses = [one for whole in paragraphs(text) for one in _MARK.split(whole)]
    ends = [
        " ".join(words[at:])
        for words in (clause.split() for clause in clauses)
        for at in range(max(0, len(words) - 6), len(words) - 2)
        if len(words) < 7 or len(words[at]) > 3
    ]
    plain = [end for end in ends if re.fullmatch(r"[a-zA-Z][a-zA-Z' -]+", end) and not _CUT.search(end)]
    return list(dict.fromkeys(end[0].upper() + end[1:] for end in plain))


def poem(text: str) -> list[Said]:
    """A word whose letters begin different lines, with the lines out of order and one too many."""
    lines = _lines(text)
    rng = random.Random(text)
    words = dict.fromkeys([*nouns(text), *(word for word in wordlike(text) if word.islower())])
    fit = [word for word in words if 4 <= len(word) <= 7 and len(set(word)) == len(word)]
    found = []
    for word in rng.sample(fit, len(fit)):
        chosen = _chosen(word, rng.sample(lines, len(lines)))
        if chosen:
            spare = [line for line in lines if line[0].lower() not in word and not _meet(line, chosen)]
            listed = "\n".join(sorted([*chosen, *spare[:1]]))
            ask = f'{START}"{word}" from these lines: one line for each letter, in order.'
            found.append({"instruction": f"{ask} Leave out what does not fit.\n\n{listed}"})
    return found


def _chosen(word: str, lines: list[str]) -> list[str]:
    """A line for each letter, none of which ends as another does; nothing where a letter has none."""
    chosen: list[str] = []
    for letter in word:
        line = next((one for one in lines if one[0].lower() == letter and not _meet(one, chosen)), "")
        if not line:
            return []
        chosen.append(line)
    return chosen


def _meet(line: str, others: list[str]) -> bool:
    return any(line.split()[-2:] == other.split()[-2:] for other in others)


def _poem(text: str, task: str) -> Said:
    word = task.removeprefix(START).split('"')[1]
    lines = task.split("\n\n", 1)[1].splitlines()
    chosen = [next((line for line in lines if line[0].lower() == letter), "") for letter in word]
    if not all(chosen):
        return {"reason": "There is no line for one of the letters.", "answerable": False}
    return {"answer": "\n".join(chosen)}


WRITERS = {"poem": poem}
WAYS = ((START, _poem),)
