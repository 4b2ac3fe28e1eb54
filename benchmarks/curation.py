"""What curation costs: seconds of CPU and memory for a million samples, measured at 100,000.

python -m benchmarks.curation               the default steps, and each optional one, at 100,000 samples
python -m benchmarks.curation 1000000       at so many

A sample is made text: a prompt of 30 words, an answer of 100, one in ten nearly repeating an earlier one,
against 1,000 held-out questions of 40 words.
"""

from __future__ import annotations

import random
import sys
import time
from collections import deque
from collections.abc import Iterator

from benchmarks.table import Row, show
from benchmarks.work import peak_rss
from synth.config.curation import Curate
from synth.curation.curate import steps_of
from synth.curation.lint import PairLint
from synth.curation.step import Step, Tally, passing
from synth.records import Rejection, Sample

__all__ = ["rows"]

MILLION = 1_000_000
MOST_SECONDS = 1200.0
"""CPU seconds a million samples may take in the default steps."""
MOST_MB = 1500.0
"""Megabytes the near-duplicates of a million samples may take."""
RULES = Curate.model_validate(
    {"refusals": True, "length": {"max_tokens": 4000}, "repetition": {}, "language": {"allow": ["en"]}}
)


def rows(count: int = 100_000) -> list[Row]:
    """A row for each step, in microseconds a sample, and for all default steps and their memory."""
    words = [
        f"{first}{last}" for first in "bdfgklmnprstvz" for last in ("at", "el", "ino", "or", "une", "aster")
    ]
    rng = random.Random(0)
    held_out = {" ".join(rng.choices(words, k=40)): "test" for _ in range(1000)}
    _pass(_steps(held_out), 100, words)  # models and tables are loaded by the first samples
    steps = _steps(held_out)
    timed, spent = _timed(steps)
    before = peak_rss()
    tallies = _pass(timed, count, words)
    grown = peak_rss() - before
    found = [
        Row(
            f"curation, {step.name}",
            f"{spent[step.name] / max(1, tallies[step.name].seen) * MILLION:.0f} s of CPU a million",
        )
        for step in steps
    ]
    optional = {"refusals", "length", "repetition", "language"}
    total = sum(seconds for name, seconds in spent.items() if name not in optional) / count * MILLION
    memory = grown / count * MILLION
    return [
        *found,
        Row(
            "curation, default steps",
            f"{total:.0f} s of CPU a million",
            f"< {MOST_SECONDS:.0f} s",
            total < MOST_SECONDS,
        ),
        Row(
            "curation, what it remembers",
            f"{memory:.0f} MB a million",
            f"< {MOST_MB:.0f} MB",
            memory < MOST_MB,
        ),
    ]


def _steps(held_out: dict[str, str]) -> list[Step]:
    return steps_of(RULES, held_out, PairLint(), lambda sample: len(str(sample.completion)) // 4)


def _pass(steps: list[Step], count: int, words: list[str]) -> dict[str, Tally]:
    """Let made samples through; nothing of them is kept but by the steps."""
    tallies: dict[str, Tally] = {}
    deque(passing(_samples(count, words), steps, tallies, _Counted()), maxlen=0)
    return tallies


class _Counted(list[Rejection]):
    """Rejections are kept by a run's files and not here."""

    def append(self, rejection: Rejection) -> None:
        """Forget it."""


def _timed(steps: list[Step]) -> tuple[list[Step], dict[str, float]]:
    """The steps, with a clock each."""
    spent = {step.name: 0.0 for step in steps}

    def clocked(step: Step) -> Step:
        def check(sample: Sample) -> object:
            start = time.process_time()
            try:
                return step.check(sample)
            finally:
                spent[step.name] += time.process_time() - start

        return Step(step.name, check)  # type: ignore[arg-type]

    return [clocked(step) for step in steps], spent


def _samples(count: int, words: list[str]) -> Iterator[Sample]:
    rng = random.Random(1)
    prompt, answer = "", ""
    for number in range(count):
        if number % 10:
            prompt, answer = (" ".join(rng.choices(words, k=size)) for size in (30, 100))
        else:
            answer += "."
        asked = [{"role": "user", "content": prompt}]
        yield Sample.sft(asked, answer, seed_id=str(number), flow="bench", arm="fixed", round=1)  # type: ignore[arg-type]


def main(arguments: list[str]) -> int:
    """Measure and print."""
    return 0 if show(rows(int(arguments[0]) if arguments else 100_000)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
