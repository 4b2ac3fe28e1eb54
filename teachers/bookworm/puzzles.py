"""Brain teasers: letters out of order, sequences, and who lies; solved by trying everything."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from itertools import product
from typing import Any

from synth.teachers.bookworm.reading import sentences, wordlike

__all__ = ["WAYS", "WRITERS"]

Said = dict[str, Any]
NAMES = ("Ada", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hana", "Ivo", "June", "Karl", "Lena")
ISLAND = "On an island everybody either always lies or never does. "


def wordplay(text: str) -> list[Said]:
    """One word of a sentence with its letters in alphabetical order."""
    found = []
    for sentence in sentences(text):
        if "`" in sentence:
            continue
        words = [w for w in wordlike(sentence) if w.islower() and 5 <= len(w) <= 8 and w not in sentence[:12]]
        if words:
            word = max(words, key=len)
            mixed = re.sub(rf"\b{word}\b", "".join(sorted(word)).upper(), sentence, count=1)
            ask = "In this sentence the letters of one word, in capitals, were put in alphabetical order. "
            found.append({"instruction": f"{ask}Which word is it?\n\n{mixed}"})
    random.Random(text).shuffle(found)
    return found


def _unmixed(text: str, task: str) -> Said:
    """The word of the text with the same letters."""
    mixed = task.split("\n\n", 1)[1]
    for letters in re.findall(r"\b[A-Z]{5,8}\b", mixed):
        fits = {w for w in wordlike(text) if sorted(w) == list(letters.lower())}
        if len(fits) == 1 and "".join(sorted(letters)) == letters:
            word = fits.pop()
            return {"reason": f"{letters} are the letters of {word}.", "answer": word}
    return {"reason": "No word has these letters.", "answerable": False}


Law = tuple[str, Callable[[list[int]], int]]


def _laws(step: int) -> list[Law]:
    """What each member may come from, in words, and how."""
    return [
        (f"Each number is {step} more than the one before.", lambda s: s[-1] + step),
        (f"Each number is {step} less than the one before.", lambda s: s[-1] - step),
        (f"Each number is {step} times the one before.", lambda s: s[-1] * step),
        ("Each number is the sum of the two before.", lambda s: s[-1] + s[-2]),
        ("The steps grow by one each time.", lambda s: s[-1] + (s[-1] - s[-2]) + 1),
    ]


def sequence(text: str) -> list[Said]:
    """Five numbers by a law."""
    rng = random.Random(text)
    found = []
    for at in rng.sample(range(5), 2):
        step = rng.randint(2, 4) if at == 2 else rng.randint(3, 12)
        start = rng.randint(2, 9) + (6 * step if at == 1 else 0)
        terms = [start, start + rng.randint(1, 9)] if at >= 3 else [start]
        while len(terms) < 5:
            terms.append(_laws(step)[at][1](terms))
        found.append({"instruction": f"Which number comes next? {', '.join(map(str, terms))}"})
    return found


def _next(text: str, task: str) -> Said:
    """The member all laws agree on that explain the others."""
    terms = [int(number) for number in re.findall(r"\d+", task)]
    for step in range(2, 13):
        for why, law in _laws(step):
            if all(law(terms[:n]) == terms[n] for n in range(2, len(terms))) and (
                "two before" in why or "steps" in why or law(terms[:1]) == terms[1]
            ):
                return {"reason": why, "answer": str(law(terms))}
    return {"reason": "No simple law explains these numbers.", "answerable": False}


def truth_tellers(text: str) -> list[Said]:
    """Three people who speak of each other, with one way it can be."""
    rng = random.Random(text)
    found = []
    for _ in range(60):
        people = rng.sample(NAMES, 3)
        lines = []
        for speaker in people:
            one, two = rng.sample([name for name in people if name != speaker], 2)
            lines.append(
                rng.choice(
                    [
                        f'{speaker} says: "{one} lies."',
                        f'{speaker} says: "{one} tells the truth."',
                        f'{speaker} says: "{one} and {two} are of the same kind."',
                        f'{speaker} says: "{one} lies or {two} does."',
                    ]
                )
            )
        task = f"{ISLAND}{' '.join(lines)} Who lies? Answer with the names, in alphabetical order."
        if len(_ways(task)) == 1 and _ways(task)[0]:
            found.append({"instruction": task})
        if len(found) == 2:
            break
    return found


def _ways(task: str) -> list[list[str]]:
    """Who lies, in every way that fits what is said."""
    spoken = re.findall(r'(\w+) says: "(.+?)\."', task)
    people = [name for name, _ in spoken]
    fits = []
    for kinds in product((True, False), repeat=len(people)):
        honest = dict(zip(people, kinds, strict=True))
        if all(honest[who] == _holds(said, honest) for who, said in spoken):
            fits.append(sorted(name for name in people if not honest[name]))
    return fits


def _holds(said: str, honest: dict[str, bool]) -> bool:
    one = said.split()[0]
    if " or " in said:
        return not (honest[one] and honest[said.split()[3]])
    if " and " in said:
        return honest[one] == honest[said.split()[2]]
    return honest[one] == said.endswith("tells the truth")


def _liars(text: str, task: str) -> Said:
    ways = _ways(task)
    if len(ways) != 1:
        return {"reason": f"There are {len(ways)} ways it can be.", "answerable": False}
    liars = ways[0]
    verb = "lies" if len(liars) == 1 else "lie"
    honest = [name for name, _ in re.findall(r'(\w+) says: "(.+?)\."', task) if name not in liars]
    others = f", and {' and '.join(honest)} {'does' if len(honest) == 1 else 'do'} not" if honest else ""
    why = f"Everything that is said fits only if {' and '.join(liars)} {verb}{others}."
    return {"reason": why, "answer": ", ".join(liars)}


WRITERS = {"wordplay": wordplay, "sequence": sequence, "truth_tellers": truth_tellers}
WAYS = (
    ("In this sentence the letters of one word", _unmixed),
    ("Which number comes next?", _next),
    (ISLAND.strip(), _liars),
)
