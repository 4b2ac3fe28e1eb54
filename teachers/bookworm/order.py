"""Analytical reasoning: four things in an order that rules leave; solved by trying all."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from synth.teachers.bookworm.reading import nouns

__all__ = ["TEXTS", "WAYS", "WRITERS"]

Said = dict[str, Any]
_NO_SUBJECTS = (
    "better best whole same first last next latter former right wrong most least kind rest way one two "
    "three more less own such half many large small simple single long short other"
)
NO_SUBJECTS = frozenset(_NO_SUBJECTS.split())
"""Words after an article that nothing is named after."""


@dataclass(frozen=True)
class Scene:
    """Four things in four places. `opening` ends where they are listed; `thing` names one of them."""

    opening: str
    thing: str
    places: tuple[str, str, str, str]
    things: str
    place: str

    def at(self, name: str, place: str) -> str:
        """That a thing is in a place."""
        return f"{self.the(name)} is {place}."

    def the(self, name: str) -> str:
        """A thing at the head of a sentence."""
        return f"The {self.thing.format(name)}"


SCENES = (
    Scene(
        "There is one talk a day from Monday to Thursday: on ",
        "talk on {}",
        ("on Monday", "on Tuesday", "on Wednesday", "on Thursday"),
        "talks",
        "day",
    ),
    Scene(
        "Four chapters follow each other in a book, with one subject each: ",
        "chapter on {}",
        ("in the first place", "in the second place", "in the third place", "in the last place"),
        "chapters",
        "place",
    ),
    Scene(
        "Four boxes stand in a row from left to right, each with a label: ",
        "box labelled {}",
        ("on the far left", "second from the left", "third from the left", "on the far right"),
        "boxes",
        "place",
    ),
    Scene(
        "Four teams came in one after the other, each named after a word: ",
        "team {}",
        ("at the front", "in second position", "in third position", "at the back"),
        "teams",
        "position",
    ),
)


def rules(text: str) -> str:
    """A scenario with things of the text, and as few rules as leave one order."""
    subjects = [word for word in nouns(text) if word not in NO_SUBJECTS]
    if len(subjects) < 4:
        raise ValueError("the text names too few things")
    rng = random.Random(text)
    scene, names = rng.choice(SCENES), rng.sample(subjects, 4)
    order = rng.sample(names, 4)
    said: list[str] = []
    for line in rng.sample(lines := _true_of(scene, order, rng), len(lines)):
        if len(_orders(scene, names, [*said, line])) < len(_orders(scene, names, said)):
            said.append(line)
    for line in tuple(said):
        others = [one for one in said if one != line]
        if len(_orders(scene, names, others)) == 1:
            said = others
    return f"{scene.opening}{', '.join(names[:3])} and {names[3]}. {' '.join(said)}"


def _true_of(scene: Scene, order: list[str], rng: random.Random) -> list[str]:
    """Sentences that hold of an order and are not too telling."""
    head = [scene.the(name) for name in order]
    rest = [scene.thing.format(name) for name in order]
    lines = [f"{head[0]} is not {rng.choice(scene.places[1:])}."]
    lines += [f"{head[at]} comes directly before the {rest[at + 1]}." for at in range(3)]
    lines += [f"{head[one]} comes before the {rest[two]}." for one, two in ((0, 2), (0, 3), (1, 3), (1, 2))]
    lines += [f"{head[one]} is not next to the {rest[two]}." for one, two in ((0, 2), (0, 3), (1, 3))]
    lines += [
        f"{head[at]} is not {where}."
        for at in range(4)
        for place, where in enumerate(scene.places)
        if place != at
    ]
    return lines


def _scene(text: str) -> Scene | None:
    return next((scene for scene in SCENES if text.startswith(scene.opening)), None)


def _subjects(text: str) -> list[str]:
    scene = _scene(text)
    found = re.match(rf"{re.escape(scene.opening)}(.+?), (.+?), (.+?) and (.+?)\.", text) if scene else None
    return list(found.groups()) if found else []


def _orders(scene: Scene, names: list[str], lines: list[str]) -> list[tuple[str, ...]]:
    """All orders that follow the rules."""
    return [order for order in permutations(names) if all(_holds(scene, line, order) for line in lines)]


def _holds(scene: Scene, line: str, order: tuple[str, ...]) -> bool:
    known = {scene.thing.format(name): place for place, name in enumerate(order)}
    if found := re.match(r"The (.+?) comes (directly )?before the (.+?)\.", line):
        apart = known[found[3]] - known[found[1]]
        return apart == 1 if found[2] else apart > 0
    if found := re.match(r"The (.+?) is not next to the (.+?)\.", line):
        return abs(known[found[1]] - known[found[2]]) > 1
    for place, where in enumerate(scene.places):
        if found := re.match(rf"The (.+?) is (not )?{where}\.", line):
            return (known[found[1]] == place) != bool(found[2])
    raise ValueError(f"no rule that it knows: {line}")


def _solved(text: str) -> tuple[str, ...] | None:
    """The one order the text allows, or none."""
    scene, names = _scene(text), _subjects(text)
    if scene is None or not names:
        return None
    orders = _orders(scene, names, re.findall(r"The .+?\.(?= The |$)", text.split(". ", 1)[1]))
    return orders[0] if len(orders) == 1 else None


def arrangement(text: str) -> list[Said]:
    """All things in their order."""
    scene, names = _scene(text), _subjects(text)
    ask = "Put the {} in the only order that the rules allow, the first one first."
    return [{"instruction": ask.format(scene.things), "items": sorted(names)}] if scene else []


def must_be_true(text: str) -> list[Said]:
    """A thing and a place; three of the four options break a rule."""
    scene, names = _scene(text), _subjects(text)
    if scene is None:
        return []
    name = random.Random(text).choice(names)
    options = [scene.at(name, place) for place in scene.places]
    return [{"instruction": "Which of these must be true?", "options": options}]


def assignment(text: str) -> list[Said]:
    """Places and things."""
    scene, names = _scene(text), _subjects(text)
    if scene is None:
        return []
    ask = f"Which of the {scene.things} is in which {scene.place}? Give a letter for each {scene.place}."
    left = [place[0].upper() + place[1:] for place in scene.places]
    return [
        {"instruction": ask.replace("in which day", "on which day"), "left": left, "right": sorted(names)}
    ]


UNSOLVED = {"reason": "The rules allow more than one order.", "answerable": False}


def _why(scene: Scene, order: tuple[str, ...]) -> str:
    told = ", ".join(f"{name} {place}" for name, place in zip(order, scene.places, strict=True))
    return f"Of all orders only one follows every rule: {told}."


def _arranged(text: str, task: str) -> Said:
    scene, order, letters = _scene(text), _solved(text), _letters(task)
    if scene is None or order is None:
        return UNSOLVED
    return {"reason": _why(scene, order), "answer": [letters[name] for name in order]}


def _true_one(text: str, task: str) -> Said:
    scene, order = _scene(text), _solved(text)
    if scene is None or order is None:
        return UNSOLVED
    true = [letter for option, letter in _letters(task).items() if _holds(scene, option, order)]
    return {"reason": _why(scene, order), "answer": true[0]} if len(true) == 1 else UNSOLVED


def _letters(task: str) -> dict[str, str]:
    return {option: letter for letter, option in re.findall(r"^([A-J])\) (.*)$", task, re.MULTILINE)}


TEXTS = {"rules": rules}
WRITERS = {"arrangement": arrangement, "must_be_true": must_be_true, "assignment": assignment}
WAYS = (
    *((f"Put the {scene.things} in the only order", _arranged) for scene in SCENES),
    *((f"Which of the {scene.things} is ", _arranged) for scene in SCENES),
    ("Which of these must be true?", _true_one),
)
