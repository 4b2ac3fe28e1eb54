"""How much of a text repeats itself, by the measures of Gopher (arXiv 2112.11446, table A1).

They were made to find the loops of broken pages. A small model in a loop writes the same way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from synth.config.curation import Repetition
from synth.curation.step import Check, Fault, answer_of
from synth.records import Sample

__all__ = ["by_repetition"]

TOP = (2, 3, 4)
REPEATED = (5, 6, 7, 8, 9, 10)


def by_repetition(rule: Repetition) -> Check:
    """Answers that repeat themselves beyond the bounds."""

    def check(sample: Sample) -> Sample | Fault:
        text = answer_of(sample)
        words = text.split()
        if len(words) < rule.least:
            return sample
        for what, share, most in (*_lines(text, rule), *_grams(words, rule)):
            if share > most:
                return Fault("repetitive", f"{share:.0%} {what}, at most {most:.0%} wanted")
        return sample

    return check


def _lines(text: str, rule: Repetition) -> Iterator[tuple[str, float, float]]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    seen: set[str] = set()
    again = [line for line in lines if line in seen or seen.add(line)]  # type: ignore[func-returns-value]
    yield "of its lines are repetitions", len(again) / len(lines), rule.lines
    yield "of its text is in repeated lines", _chars(again) / _chars(lines), rule.line_chars


def _grams(words: Sequence[str], rule: Repetition) -> Iterator[tuple[str, float, float]]:
    total = _chars(words)
    for size, most in zip(TOP, rule.top, strict=True):
        counts = Counter(zip(*(words[at:] for at in range(size)), strict=False))
        gram, times = max(counts.items(), key=lambda item: (item[1], _chars(item[0])))
        share = _chars(gram) * times / total if times > 1 else 0.0
        yield f"is one run of {size} words", share, most
    for size, most in zip(REPEATED, rule.repeated, strict=True):
        yield f"is in repeated runs of {size} words", _within_repeats(words, size) / total, most


def _within_repeats(words: Sequence[str], size: int) -> int:
    """Characters of the words that are in a run seen before, each word once."""
    seen: set[tuple[str, ...]] = set()
    covered, end = 0, 0
    for at in range(len(words) - size + 1):
        run = tuple(words[at : at + size])
        if run in seen:
            covered += _chars(words[max(at, end) : at + size])
            end = at + size
        seen.add(run)
    return covered


def _chars(words: Sequence[str]) -> int:
    return sum(map(len, words))
