"""Analytical reasoning: talks on four days under rules that leave one order; solved by trying all."""

from __future__ import annotations

import random
import re
from itertools import permutations
from typing import Any

from synth.teachers.bookworm.reading import nouns

__all__ = ["TEXTS", "WAYS", "WRITERS"]

Said = dict[str, Any]
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday")
_NO_SUBJECTS = (
    "better best whole same first last next latter former right wrong most least kind rest way one two "
    "three more less own such half many small large simple single long short other"
)
NO_SUBJECTS = frozenset(_NO_SUBJECTS.split())
"""Words after an article that no talk is on."""
TALKS = "There is one talk a day from Monday to Thursday: on "


def rules(text: str) -> str:
    """A scenario with things of the text, and as few rules as leave one order."""
    subjects = [word for word in nouns(text) if word not in NO_SUBJECTS]
    if len(subjects) < 4:
        raise ValueError("the text names too few things")
    rng = random.Random(text)
    talks = rng.sample(subjects, 4)
    order = rng.sample(talks, 4)
    said: list[str] = []
    for line in rng.sample(_true_of(order, rng), len(_true_of(order, random.Random(0)))):
        if len(_orders(talks, [*said, line])) < len(_orders(talks, said)):
            said.append(line)
        if len(_orders(talks, said)) == 1:
            break
    return f"{TALKS}{', '.join(talks[:3])} and {talks[3]}. {' '.join(said)}"


def _true_of(order: list[str], rng: random.Random) -> list[str]:
    """Sentences that hold of an order and are not too telling."""
    lines = [f"The talk on {order[0]} is not on {rng.choice(DAYS[1:])}."]
    lines += [f"The talk on {order[at]} comes directly before the one on {order[at + 1]}." for at in range(3)]
    lines += [
        f"The talk on {order[one]} comes before the one on {order[two]}."
        for one, two in ((0, 2), (0, 3), (1, 3), (1, 2))
    ]
    lines += [
        f"The talk on {name} is not on {day}."
        for at, name in enumerate(order)
        for place, day in enumerate(DAYS)
        if place != at
    ]
    return lines


def _subjects(text: str) -> list[str]:
    found = re.match(rf"{TALKS}(.+?), (.+?), (.+?) and (.+?)\.", text)
    return list(found.groups()) if found else []


def _orders(talks: list[str], lines: list[str]) -> list[tuple[str, ...]]:
    """All orders that follow the rules."""
    return [order for order in permutations(talks) if all(_holds(line, order) for line in lines)]


def _holds(line: str, order: tuple[str, ...]) -> bool:
    if found := re.match(r"The talk on (.+?) comes directly before the one on (.+?)\.", line):
        return order.index(found[1]) + 1 == order.index(found[2])
    if found := re.match(r"The talk on (.+?) comes before the one on (.+?)\.", line):
        return order.index(found[1]) < order.index(found[2])
    if found := re.match(r"The talk on (.+?) is (not )?on (\w+)\.", line):
        return (DAYS[order.index(found[1])] == found[3]) != bool(found[2])
    raise ValueError(f"no rule that it knows: {line}")


def _solved(text: str) -> tuple[str, ...] | None:
    """The one order the text allows, or none."""
    talks = _subjects(text)
    orders = _orders(talks, re.findall(r"The talk on .+?\.", text)) if talks else []
    return orders[0] if len(orders) == 1 else None


def arrangement(text: str) -> list[Said]:
    """All talks in their order."""
    talks = _subjects(text)
    ask = "Put the talks in the only order that the rules allow, the first one first."
    return [{"instruction": ask, "items": sorted(talks)}] if talks else []


def must_be_true(text: str) -> list[Said]:
    """A talk and a day; three of the four options break a rule."""
    talks = _subjects(text)
    rng = random.Random(text)
    return [
        {
            "instruction": "Which of these must be true?",
            "options": [f"The talk on {talk} is on {day}." for talk in rng.sample(talks, 1) for day in DAYS],
        }
        for _ in talks[:1]
    ]


def assignment(text: str) -> list[Said]:
    """Days and talks."""
    talks = _subjects(text)
    ask = "Which talk is on which day? Give the letter of the talk for each day."
    return [{"instruction": ask, "left": list(DAYS), "right": sorted(talks)}] if talks else []


UNSOLVED = {"reason": "The rules allow more than one order.", "answerable": False}


def _why(order: tuple[str, ...]) -> str:
    told = ", ".join(f"{talk} on {day}" for talk, day in zip(order, DAYS, strict=True))
    return f"Of all orders only one follows every rule: {told}."


def _arranged(text: str, task: str) -> Said:
    order, letters = _solved(text), _letters(task)
    return {"reason": _why(order), "answer": [letters[talk] for talk in order]} if order else UNSOLVED


def _true_one(text: str, task: str) -> Said:
    order = _solved(text)
    if order is None:
        return UNSOLVED
    true = [letter for option, letter in _letters(task).items() if _holds(option, order)]
    return {"reason": _why(order), "answer": true[0]} if len(true) == 1 else UNSOLVED


def _letters(task: str) -> dict[str, str]:
    return {option: letter for letter, option in re.findall(r"^([A-J])\) (.*)$", task, re.MULTILINE)}


TEXTS = {"rules": rules}
WRITERS = {"arrangement": arrangement, "must_be_true": must_be_true, "assignment": assignment}
WAYS = (
    ("Put the talks in the only order", _arranged),
    ("Which talk is on which day?", _arranged),
    ("Which of these must be true?", _true_one),
)
