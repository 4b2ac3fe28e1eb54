"""Rules that three examples show, on words and on numbers."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

from synth.teachers.bookworm.reading import wordlike

__all__ = ["WAYS", "WRITERS"]

Said = dict[str, Any]
Rule = Callable[[str], str]
START = "Go on in the same way"
WORD_RULES: tuple[Rule, ...] = (
    str.upper,
    lambda w: w[::-1],
    lambda w: w[0].upper(),
    lambda w: w[-1],
    lambda w: str(len(w)),
    lambda w: "-".join(w),
    lambda w: re.sub("[aeiou]", "*", w),
    lambda w: f"{w} {w}",
    lambda w: w[1:] + w[0],
)
NUMBER_RULES: tuple[Rule, ...] = (
    lambda n: str(int(n) + 7),
    lambda n: str(int(n) * 2),
    lambda n: str(int(n) * 10 + 1),
    lambda n: str(int(n) - 5),
    lambda n: str(int(n) ** 2),
    lambda n: n[::-1],
    lambda n: str(sum(map(int, n))),
)


def _shots(inputs: list[str], rule: Rule) -> Said:
    shown = [f"Input: {one}\nOutput: {rule(one)}" for one in inputs[:-1]]
    return {"instruction": f"{START}.", "examples": shown, "query": f"Input: {inputs[-1]}"}


def word_rule(text: str) -> list[Said]:
    """Two rules on words, each shown by three of them."""
    words = list(dict.fromkeys(word.lower() for word in wordlike(text)))
    rng = random.Random(text)
    rng.shuffle(words)
    fours = [words[at : at + 4] for at in (0, 4) if len(words) >= at + 4]
    return [_shots(four, rule) for four, rule in zip(fours, rng.sample(WORD_RULES, 2), strict=False)]


def number_rule(text: str) -> list[Said]:
    """Two rules on numbers."""
    rng = random.Random(text)
    return [
        _shots([str(n) for n in rng.sample(range(12, 90), 4)], rule) for rule in rng.sample(NUMBER_RULES, 2)
    ]


def _rule(text: str, task: str) -> Said:
    """What the rules that explain all the examples agree on."""
    shots = re.findall(r"Input: (.+)\nOutput: (.+)", task)
    query = re.findall(r"Input: (.+)\nOutput:$", task)[-1]
    rules = NUMBER_RULES if query.isdigit() else WORD_RULES
    fits = {rule(query) for rule in rules if all(rule(given) == made for given, made in shots)}
    if len(fits) != 1:
        return {"reason": f"{len(fits)} simple rules explain the examples.", "answerable": False}
    return {"answer": fits.pop()}


WRITERS = {"word_rule": word_rule, "arithmetic_rule": number_rule}
WAYS = ((START, _rule),)
