"""Near-duplicates found as texts stream by: MinHash signatures in bands (Broder 1997)."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["NearDuplicates"]

_WORD = re.compile(r"\w+")
SHINGLE = 5
"""Words that are compared together."""
PERMUTATIONS = 128


class NearDuplicates:
    """Remembers signatures (about 1 KB a text) and knows which texts resemble an earlier one.

    `threshold` is the Jaccard similarity of word shingles, as estimated by the signatures,
    from which two texts are the same.
    """

    def __init__(self, threshold: float = 0.8) -> None:
        from rensa import RMinHashDeduplicator

        self._known = RMinHashDeduplicator(threshold, num_perm=PERMUTATIONS, use_lsh=True, num_bands=16)
        self._count = 0

    def add(self, text: str) -> bool:
        """Remember a text; whether it is unlike all before it."""
        sketch = _sketch(text)
        if self._known.is_duplicate(str(self._count), sketch):
            return False
        self._known.add(str(self._count), sketch)
        self._count += 1
        return True

    def knows(self, text: str) -> bool:
        """Whether a text resembles one that was added; it is not remembered."""
        return bool(self._known.is_duplicate("", _sketch(text)))


def _sketch(text: str) -> Any:
    from rensa import RMinHash

    words = _WORD.findall(text.casefold())
    shingles = {" ".join(words[at : at + SHINGLE]) for at in range(max(1, len(words) - SHINGLE + 1))}
    sketch = RMinHash(num_perm=PERMUTATIONS, seed=42)
    sketch.update(sorted(shingles))
    return sketch
