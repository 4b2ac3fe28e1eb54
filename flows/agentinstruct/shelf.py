"""A bounded shelf of passages, to find similar ones in: for growing APIs and for retrieval tasks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from synth.data.documents import Passage

__all__ = ["Shelf"]

MOST = 2000
"""Passages kept."""
_WORD = re.compile(r"[a-z]{3,}")


class Shelf:
    """Some of the passages of a run, by their words."""

    def __init__(self, passages: Iterable[Passage]) -> None:
        self._texts = [passage.text for passage in passages]
        self._words = [frozenset(_words(text)) for text in self._texts]
        self._seen = Counter(word for words in self._words for word in words)

    @classmethod
    def of(cls, passages: Iterator[Passage]) -> Shelf:
        """Every n-th passage of a stream, so that at most `MOST` are held, from all its parts."""
        kept: list[Passage] = []
        step = 1
        for index, passage in enumerate(passages):
            if index % step == 0:
                kept.append(passage)
            if len(kept) > MOST:
                kept, step = kept[::2], step * 2
        return cls(kept)

    def nearest(self, text: str, skip: str, rank: int = 0) -> str:
        """The text with most rare words in common, `rank` places down; nothing on an empty shelf."""
        found = self.similar(text, (skip,), rank + 1)
        return found[rank] if len(found) > rank else ""

    def similar(self, text: str, skip: Collection[str], count: int) -> list[str]:
        """The `count` texts nearest to `text`, without those of `skip`."""
        wanted = frozenset(_words(text))
        scores = [
            (sum(1 / self._seen[word] for word in wanted & words), -place)
            for place, words in enumerate(self._words)
            if self._texts[place] not in skip
        ]
        best = sorted(scores, reverse=True)[:count]
        return [self._texts[-place] for _, place in best]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
