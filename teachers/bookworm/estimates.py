"""Fermi estimates on books about a text's subject: each independent try assumes other round figures."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

from synth.teachers.bookworm.reading import nouns

__all__ = ["START", "WRITERS", "estimated"]

Said = dict[str, Any]
START = "Estimate, with your steps: "
WORDS = (300, 250, 400)
"""Words on a page, by try."""
SPEED = (250, 200, 300)
"""Words read in a minute."""
BYTES = (6, 6, 7)
"""Bytes of a word with its blank."""
SHEET = (0.1, 0.08, 0.12)
"""Millimetres of a sheet of paper."""
PRINTING = (20, 10, 30)
"""Pages a minute of a printer."""


def estimated(text: str, task: str, sample: int = 0) -> Said:
    """Steps, figure and unit. Raises `ValueError` for a quantity it has no figures for."""
    found = re.search(r"\d+", task)
    way = next((way for sign, way in WAYS.items() if sign in task), None)
    if way is None or not found:
        raise ValueError(f"it has no figures for this: {task[:80]!r}")
    steps, value, unit = way(int(found[0]), sample % len(WORDS))
    return {"reason": steps, "value": float(f"{value:.2g}"), "unit": unit}


def _reading(n: int, at: int) -> tuple[str, float, str]:
    words, speed = n * WORDS[at], SPEED[at]
    return (
        f"A page holds about {WORDS[at]} words, so {n} pages hold about {words:,}. "
        f"A reader takes in about {speed} words a minute, {speed * 60:,} an hour.",
        words / (speed * 60),
        "hours",
    )


def _stored(n: int, at: int) -> tuple[str, float, str]:
    words, size = 200 * WORDS[at], BYTES[at]
    return (
        f"A book has about 200 pages of {WORDS[at]} words, {words:,} words. A word takes about {size} bytes "
        f"with its blank, so a book takes about {words * size / 1e6:.2g} megabytes.",
        n * words * size / 1e6,
        "megabytes",
    )


def _piled(n: int, at: int) -> tuple[str, float, str]:
    thick = 100 * SHEET[at]
    return (
        f"A book has about 200 pages, that is 100 sheets of {SHEET[at]} mm, so it is about {thick:g} mm "
        f"thick. {n} of them come to {n * thick:,.4g} mm.",
        n * thick / 10,
        "centimetres",
    )


def _counted(n: int, at: int) -> tuple[str, float, str]:
    letters = n * WORDS[at] * 5
    return (
        f"A page holds about {WORDS[at]} words of five letters, so {n} pages have about {letters:,} letters. "
        "About one letter in eight is an e.",
        letters / 8,
        "times",
    )


def _printed(n: int, at: int) -> tuple[str, float, str]:
    return (
        f"{n} copies of 40 pages are {n * 40:,} pages. "
        f"An office printer makes about {PRINTING[at]} a minute.",
        n * 40 / PRINTING[at],
        "minutes",
    )


WAYS: dict[str, Callable[[int, int], tuple[str, float, str]]] = {
    "how many hours": _reading,
    "how many megabytes": _stored,
    "how many centimetres": _piled,
    "how many times": _counted,
    "how many minutes": _printed,
}


def _subject(text: str) -> str:
    """A heading of the text, else the noun it has most often."""
    heading = re.search(r"^#+ ([^\n`*\[]{4,40})$", text, re.MULTILINE)
    known = sorted(nouns(text), key=lambda word: -text.count(word))
    return heading[1].strip() if heading else known[0] if known else ""


def _asking(question: str, sizes: tuple[int, ...]) -> Callable[[str], list[Said]]:
    def write(text: str) -> list[Said]:
        subject = _subject(text)
        chosen = random.Random(text).sample(sizes, 2) if subject else []
        return [{"instruction": START + question.format(n=n, about=f'"{subject}"')} for n in chosen]

    return write


WRITERS = {
    "how_long": _asking("how many hours does it take to read {n} pages about {about}?", (40, 90, 240, 1500)),
    "data_volume": _asking(
        "how many megabytes of plain text are {n} books about {about}?", (8, 50, 300, 2000, 12000)
    ),
    "how_large": _asking(
        "how many centimetres high is a pile of {n} books about {about}?", (6, 25, 80, 400, 3000)
    ),
    "how_many": _asking(
        "how many times does the letter e stand on {n} pages of English about {about}?", (12, 75, 350, 900)
    ),
    "rate": _asking(
        "in how many minutes does one office printer print {n} copies of a paper of 40 pages about {about}?",
        (5, 30, 120, 700),
    ),
}
