"""Fermi estimates on books about a text's subject: each independent try assumes other round figures."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from typing import Any

from synth.teachers.bookworm.reading import nouns

__all__ = ["START", "WRITERS", "estimated"]

Said = dict[str, Any]
START = "Estimate, with your steps: "
WORDS = (300, 250, 400)
"""Words on a page, by try."""
SPEED = (250, 200, 300)
"""Words read in a minute; aloud 150."""
BYTES = (6, 6, 7)
"""Bytes of a word with its blank."""
SHEET = (0.1, 0.08, 0.12)
"""Millimetres of a sheet of paper."""
PRINTING = (20, 10, 30)
"""Pages a minute of a printer."""
TYPING = (40, 30, 50)
"""Words a minute of somebody who types."""
WEIGHT = (0.4, 0.3, 0.5)
"""Kilograms of a book of 200 pages."""
Way = Callable[[float, int], tuple[str, float, str]]
"""From what is counted and the number of the try: the steps, the value, its unit."""


def estimated(text: str, task: str, sample: int = 0) -> Said:
    """Steps, figure and unit. Raises `ValueError` for a quantity it has no figures for."""
    found = re.search(r"\d[\d,]*", task)
    way = next((way for sign, way in WAYS.items() if sign in task), None)
    if way is None or not found:
        raise ValueError(f"it has no figures for this: {task[:80]!r}")
    steps, value, unit = way(int(found[0].replace(",", "")), sample % len(WORDS))
    return {"reason": steps, "value": float(f"{value:.2g}"), "unit": unit}


def _spoken(pace: Sequence[int], who: str) -> Way:
    """Hours at a pace of words a minute."""

    def way(n: float, at: int) -> tuple[str, float, str]:
        words = n * WORDS[at]
        return (
            f"A page holds about {WORDS[at]} words, so {n:,} pages hold about {words:,}. "
            f"{who} about {pace[at]} words a minute, {pace[at] * 60:,} an hour.",
            words / (pace[at] * 60),
            "hours",
        )

    return way


def _stored(n: float, at: int) -> tuple[str, float, str]:
    words, size = 200 * WORDS[at], BYTES[at]
    return (
        f"A book has about 200 pages of {WORDS[at]} words, {words:,} words. A word takes about {size} bytes "
        f"with its blank, so a book takes about {words * size / 1e6:.2g} megabytes.",
        n * words * size / 1e6,
        "megabytes",
    )


def _recorded(n: float, at: int) -> tuple[str, float, str]:
    minutes = n * WORDS[at] / 150
    return (
        f"A page holds about {WORDS[at]} words and is read aloud in about {WORDS[at] / 150:.2g} minutes, so "
        f"{n:,} pages take about {minutes:,.0f}. A minute of compressed speech takes about half a megabyte.",
        minutes / 2,
        "megabytes",
    )


def _thick(unit: str, size: int) -> Way:
    """The height of a pile, or the length of a shelf, of books; `size` millimetres are one unit."""

    def way(n: float, at: int) -> tuple[str, float, str]:
        thick = 100 * SHEET[at]
        return (
            f"A book has about 200 pages, that is 100 sheets of {SHEET[at]} mm, so it is about {thick:g} mm "
            f"thick. {n:,} of them come to {n * thick:,.0f} mm.",
            n * thick / size,
            unit,
        )

    return way


def _heavy(n: float, at: int) -> tuple[str, float, str]:
    return (
        f"A book of 200 pages weighs about {WEIGHT[at]} kilograms, and there are {n:,} of them.",
        n * WEIGHT[at],
        "kilograms",
    )


def _counted(letter: str, share: int) -> Way:
    """How often a letter comes that is one of `share` letters."""

    def way(n: float, at: int) -> tuple[str, float, str]:
        letters = n * WORDS[at] * 5
        return (
            f"A page holds about {WORDS[at]} words of five letters, so {n:,} pages have about {letters:,} "
            f"letters. About one letter in {share} is {letter}.",
            letters / share,
            "times",
        )

    return way


def _printed(n: float, at: int) -> tuple[str, float, str]:
    return (
        f"{n:,} copies of 40 pages are {n * 40:,} pages. "
        f"An office printer makes about {PRINTING[at]} a minute.",
        n * 40 / PRINTING[at],
        "minutes",
    )


def _finished(n: float, at: int) -> tuple[str, float, str]:
    return (
        f"A page holds about {WORDS[at]} words and is read in about {WORDS[at] / SPEED[at]:.2g} minutes, so "
        f"{n:,} minutes a day are about {n * SPEED[at] / WORDS[at]:,.0f} pages, and a year has 365 days. "
        "A book has about 200 pages.",
        n * SPEED[at] / WORDS[at] * 365 / 200,
        "books",
    )


WAYS: dict[str, Way] = {
    "how many hours does it take to read": _spoken(SPEED, "A reader takes in"),
    "how many hours does it take to say": _spoken((150, 130, 160), "A speaker says"),
    "how many hours does it take to type": _spoken(TYPING, "Somebody who types writes"),
    "how many megabytes of plain text": _stored,
    "how many megabytes is a recording": _recorded,
    "how many centimetres": _thick("centimetres", 10),
    "how many metres of shelf": _thick("metres", 1000),
    "how many kilograms": _heavy,
    "how many times does the letter e ": _counted("an e", 8),
    "how many times does the letter b ": _counted("a b", 70),
    "how many minutes": _printed,
    "how many books a year": _finished,
}
"""What is asked for -> how it is estimated."""


def _subject(text: str) -> str:
    """A heading of the text, else the noun it has most often."""
    heading = re.search(r"^#+ ([^\n`*\[]{4,40})$", text, re.MULTILINE)
    known = sorted(nouns(text), key=lambda word: -text.count(word))
    return heading[1].strip() if heading else known[0] if known else ""


def _asking(*questions: tuple[str, tuple[int, ...]]) -> Callable[[str], list[Said]]:
    """Two questions on a text's subject; each has the sizes it may be asked for."""

    def write(text: str) -> list[Said]:
        rng, subject = random.Random(text), _subject(text)
        asked = rng.sample(questions, len(questions)) * 2
        sizes = [(question, rng.choice(sizes)) for question, sizes in asked]
        told = dict.fromkeys(START + q.format(n=f"{n:,}", about=f'"{subject}"') for q, n in sizes)
        return [{"instruction": one} for one in list(told)[:2]] if subject else []

    return write


PAGES = (12, 40, 75, 90, 240, 350, 900, 1500)
BOOKS = (6, 8, 25, 50, 80, 300, 400, 2000, 3000, 12000)
WRITERS = {
    "how_long": _asking(
        ("how many hours does it take to read {n} pages about {about}?", PAGES),
        ("how many hours does it take to say {n} pages about {about} aloud?", PAGES),
        ("how many hours does it take to type {n} pages about {about} from handwriting?", PAGES),
    ),
    "data_volume": _asking(
        ("how many megabytes of plain text are {n} books about {about}?", BOOKS),
        ("how many megabytes is a recording of {n} pages about {about}, read aloud?", PAGES),
    ),
    "how_large": _asking(
        ("how many centimetres high is a pile of {n} books about {about}?", BOOKS[:5]),
        ("how many metres of shelf do {n} books about {about} fill?", BOOKS[4:]),
        ("how many kilograms do {n} books about {about} weigh?", BOOKS),
    ),
    "how_many": _asking(
        ("how many times does the letter e stand on {n} pages of English about {about}?", PAGES),
        ("how many times does the letter b stand on {n} pages of English about {about}?", PAGES),
    ),
    "rate": _asking(
        (
            "in how many minutes does an office printer make {n} copies of 40 pages about {about}?",
            (5, 15, 30, 60, 120, 700),
        ),
        (
            "how many books a year does somebody finish who reads {n} minutes a day about {about}?",
            (10, 20, 30, 45, 60, 90),
        ),
    ),
}
