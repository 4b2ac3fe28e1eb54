"""Near-duplicates in meaning: prompts and answers whose vectors point the same way.

As with MinHash, both have to be alike, and the same numbers and signs have to be in both. A sample is
compared with every earlier one that has its numbers, in blocks: the time grows with the square of how
many there are, the memory with how many there are, and not with the length of their texts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from synth.config.curation import NearRule
from synth.curation.near import comparable, figures
from synth.curation.step import Check, Fault
from synth.records import Sample, content_id

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]

__all__ = ["by_meaning", "compared", "pieces"]

ROWS = 512
"""Samples compared at once."""
COLUMNS = 4096
"""Earlier samples they are compared with at once: blocks of 8 MB."""


def compared(samples: Iterable[Sample], least: int) -> dict[str, str]:
    """Name -> text, of every prompt and answer that is compared."""
    found = (text for sample in samples for text in (comparable(sample, least) or ())[:2])
    return {content_id(text): text for text in found}


def pieces(text: str, most: int) -> list[str]:
    """A text in pieces of nearly equal length, of up to `most` characters."""
    size = -(-len(text) // max(1, -(-len(text) // most))) or 1
    return [text[at : at + size] for at in range(0, max(1, len(text)), size)]


def by_meaning(rule: NearRule, samples: Sequence[Sample], vectors: Mapping[str, Vector]) -> Check:
    """A step for these samples, in this order. `vectors` are of length one; what has none passes."""
    found = iter(_alike(rule, samples, vectors))

    def check(sample: Sample) -> Sample | Fault:
        alike = next(found)
        if alike is None:
            return sample
        return Fault("same-meaning", f"an earlier sample's vectors are at a cosine of {alike:.3f}")

    return check


def _alike(rule: NearRule, samples: Sequence[Sample], vectors: Mapping[str, Vector]) -> list[float | None]:
    """Of every sample how like an earlier one that stays it is, where that is too much."""
    import numpy as np

    groups: defaultdict[int, list[tuple[int, Vector, Vector]]] = defaultdict(list)
    for place, sample in enumerate(samples):
        texts = comparable(sample, rule.least)
        sides = [vectors.get(content_id(text)) for text in texts[:2]] if texts else [None]
        if texts and sides[0] is not None and sides[1] is not None:
            groups[figures(*texts)].append((place, sides[0], sides[1]))
    found: list[float | None] = [None] * len(samples)
    for group in groups.values():
        places, prompts, answers = zip(*group, strict=True)
        for row, cosine in _repeated(np.stack(prompts), np.stack(answers), _threshold(rule)):
            found[places[row]] = cosine
    return found


def _repeated(prompts: Vector, answers: Vector, threshold: float) -> Iterator[tuple[int, float]]:
    """Rows that are like an earlier row that stays, and how like."""
    import numpy as np

    def alike(rows: slice | NDArray[np.int64], others: slice | NDArray[np.int64]) -> Vector:
        found = (side[rows] @ side[others].T for side in (prompts, answers))
        return np.minimum(*found)  # type: ignore[no-any-return]

    stays = np.zeros(len(prompts), dtype=bool)
    for start in range(0, len(prompts), ROWS):
        rows = slice(start, start + ROWS)
        nearest = np.zeros(len(prompts[rows]), dtype=np.float32)
        earlier = np.flatnonzero(stays[:start])
        for at in range(0, len(earlier), COLUMNS):
            nearest = np.maximum(nearest, alike(rows, earlier[at : at + COLUMNS]).max(axis=1))
        within = alike(rows, rows)
        for row, most in enumerate(nearest):
            before = within[row, :row][stays[start : start + row]]
            cosine = max(float(most), float(before.max(initial=0.0)))
            stays[start + row] = cosine < threshold
            if cosine >= threshold:
                yield start + row, cosine


def _threshold(rule: NearRule) -> float:
    return rule.embedding.threshold if rule.embedding else 1.0
