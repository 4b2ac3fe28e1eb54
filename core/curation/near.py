"""Near-duplicate samples, found as they stream by: MinHash signatures in bands (Broder 1997).

Two samples are near-duplicates if their prompts are alike *and* their answers are: many questions on
one passage have prompts that hardly differ, and "yes" is the answer to all kinds of questions. Texts
with different numbers or signs are never alike: `12 - 5` and `12 + 5` are two tasks.
"""

from __future__ import annotations

import re
import sys
from array import array
from typing import NamedTuple

from synth.config.curation import NearRule
from synth.curation.step import Fault, sides, text_of
from synth.records import Sample

__all__ = ["NearDuplicates", "comparable", "figures"]

SHINGLE = 5
"""Words that are compared together."""
ROWS = 128
"""Values of a signature; the similarity read off them has a standard error of about 0.027 at 0.9."""
BANDS = 8
"""Samples are compared that agree in a whole band: with probability 0.99 those at 0.9 in both parts."""
DEPTH = 4
"""Rows of each of the two signatures in a band."""
_WORD = re.compile(r"\w+")
_SPACED = {at: " " for at in range(128) if not _WORD.match(chr(at))}
"""What is no part of a word becomes a space: where all is ASCII that is quicker than the pattern."""
_NUMBER = re.compile(r"[\d+*/\xd7\xf7=<>^%]+")
_SIGNED = {at: " " for at in range(128) if not _NUMBER.match(chr(at))}
_MINUS = re.compile(r"-(?<![^\W\d]-)(?![^\W\d])")
"""Not within a word. The literal comes first, or the search is ten times as slow."""


class Signature(NamedTuple):
    """A sample, compared: its signatures' low bytes (b-bit minwise hashing, arXiv 0910.3349), and the
    places where alike samples meet."""

    prompt: bytes
    answer: bytes
    bands: tuple[int, ...]


class NearDuplicates:
    """Remembers what it saw, in the same few hundred bytes for a sample of any length."""

    def __init__(self, rule: NearRule) -> None:
        self.rule = rule
        self._seen: list[tuple[bytes, bytes]] = []
        self._first: dict[int, int] = {}
        """Band -> the first sample that is there."""

    def __call__(self, sample: Sample) -> Sample | Fault:
        """The sample, or that an earlier one resembles it."""
        if (found := comparable(sample, self.rule.least)) is None:
            return sample
        signature = signed(*found)
        alike = self._like(signature)
        if alike is not None:
            return Fault(
                "near-duplicate", f"about {alike:.0%} of its five-word runs were in an earlier sample"
            )
        for band in signature.bands:
            self._first.setdefault(band, len(self._seen))
        self._seen.append((signature.prompt, signature.answer))
        return sample

    def _like(self, signature: Signature) -> float | None:
        """How like the first alike sample is, in the part in which it is less so."""
        places = {self._first[band] for band in signature.bands if band in self._first}
        for place in sorted(places):
            prompt, answer = self._seen[place]
            alike = min(similarity(prompt, signature.prompt), similarity(answer, signature.answer))
            if alike >= self.rule.threshold:
                return alike
        return None


def comparable(sample: Sample, least: int) -> tuple[str, str, str] | None:
    """Its prompt, its answers, and what only samples of its kind share; None if an answer has under
    `least` words."""
    parts = sides(sample)
    if min(len(text_of(messages).split()) for messages in parts.values()) < least:
        return None
    kind = f"{sample.learner}/{'/'.join(parts)}"
    return text_of(sample.prompt), "\n\n".join(map(text_of, parts.values())), kind


def signed(prompt: str, answer: str, salt: str = "") -> Signature:
    """The signature of a prompt and an answer. `salt` and their numbers keep bands apart."""
    first, second = _sketch(prompt), _sketch(answer)
    sums = figures(prompt, answer, salt)
    bands = (
        hash((sums, at, *first[at : at + DEPTH], *second[at : at + DEPTH]))
        for at in range(0, BANDS * DEPTH, DEPTH)
    )
    return Signature(_low(first), _low(second), tuple(bands))


def figures(prompt: str, answer: str, salt: str = "") -> int:
    """A hash of the numbers and signs of both, in their order."""
    numbers = (tuple(_numbers(text)) for text in (prompt, answer))
    signs = (len(_MINUS.findall(text)) for text in (prompt, answer))
    return hash((salt, *numbers, *signs))


def _numbers(text: str) -> list[str]:
    return text.translate(_SIGNED).split() if text.isascii() else _NUMBER.findall(text)


def similarity(one: bytes, other: bytes) -> float:
    """Jaccard similarity from low bytes, less the one in 256 that agree by chance."""
    same = sum(map(int.__eq__, one, other)) / len(one)
    return max(0.0, (same - 1 / 256) / (1 - 1 / 256))


def _low(rows: array[int]) -> bytes:
    """The low byte of every row."""
    return rows.tobytes()[:: rows.itemsize] if sys.byteorder == "little" else bytes(row & 255 for row in rows)


def _words(text: str) -> list[str]:
    return text.lower().translate(_SPACED).split() if text.isascii() else _WORD.findall(text.casefold())


def _sketch(text: str) -> array[int]:
    from rensa import RMinHash

    words = _words(text)
    runs = zip(*(words[at:] for at in range(SHINGLE)), strict=False)
    shingles = list({" ".join(run) for run in runs}) or [" ".join(words)]
    sketch = RMinHash(num_perm=ROWS, seed=42)
    sketch.update(shingles)
    return array("I", sketch.digest())
