"""Writes the four files of questions: python examples/own_verifier/make.py"""

import json
import random
from pathlib import Path

from roman import roman, skill

HERE = Path(__file__).parent
SIZES = {"test": 90, "profile": 60, "pool": 200}
"""Numbers up to 399 each file takes; `warm` has what is left below 200."""


def main() -> None:
    """Every number stands in one file alone."""
    numbers = random.Random(0).sample(range(1, 400), 399)
    start = 0
    for name, size in SIZES.items():
        write(name, numbers[start : start + size])
        start += size
    write("warm", [number for number in numbers[start:] if number < 200])


def write(name: str, numbers: list[int]) -> None:
    """One question a line."""
    rows = (
        {"question": f"Write {n} as a Roman numeral.", "answer": roman(n), "skill": skill(n)} for n in numbers
    )
    (HERE / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
