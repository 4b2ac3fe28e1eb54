"""Held-out questions inside training data: short ones as a whole, of long ones most of what is theirs.

Word n-grams with coverage, as in the decontamination of Tulu 3 (arXiv 2411.15124), with one change:
n-grams that several held-out questions share belong to a template and count for none of them. Without
it a procedural family, whose questions differ in a number or two, would lose all of its training data.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from synth.config.curation import OverlapRule
from synth.curation.step import Fault, sides, text_of
from synth.data import normalise
from synth.records import Sample

__all__ = ["HeldOut"]

_TOKEN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+|[^\w\s]")
"""Words, numbers, marks, and the letters of scripts that put no space between words."""


class HeldOut:
    """Knows the held-out questions; `texts` are their normalised texts, each with its source's name."""

    def __init__(self, texts: Mapping[str, str], rule: OverlapRule | None) -> None:
        self._texts = texts
        self._rule = rule
        self._short: dict[int, list[tuple[list[str], str]]] = {}
        """First n-gram of a short question -> its tokens and its source."""
        self._owners: dict[int, tuple[int, ...]] = {}
        """N-gram -> the long questions it is peculiar to."""
        self._sources: list[str] = []
        self._grams: list[frozenset[int]] = []
        self._sizes: list[int] = []
        """How many n-grams are peculiar to each."""
        if rule is not None:
            self._learn(texts, rule)

    def _learn(self, texts: Mapping[str, str], rule: OverlapRule) -> None:
        owners: dict[int, tuple[int, ...]] = {}
        for text, source in texts.items():
            tokens = _TOKEN.findall(text)
            grams = _grams(tokens, rule.words)
            if len(tokens) <= rule.whole:
                for gram in grams[:1]:
                    self._short.setdefault(gram, []).append((tokens, source))
                continue
            self._grams.append(frozenset(grams))
            for gram in self._grams[-1]:
                earlier = owners.get(gram, ())
                if len(earlier) < rule.common:
                    owners[gram] = (*earlier, len(self._sources))
            self._sources.append(source)
        self._owners = {gram: found for gram, found in owners.items() if len(found) < rule.common}
        counts = Counter(number for found in self._owners.values() for number in found)
        self._sizes = [counts[number] for number in range(len(self._sources))]

    def __call__(self, sample: Sample) -> Sample | Fault:
        """The sample, or which source's question is in it."""
        texts = [normalise(text) for text in _texts(sample)]
        for text in texts:
            if text in self._texts:
                return Fault("contaminated", f"repeats a held-out question of {self._texts[text]}")
        if self._short or self._owners:
            found = self._inside([_TOKEN.findall(text) for text in texts])
            return Fault("contaminated", found) if found else sample
        return sample

    def _inside(self, texts: list[list[str]]) -> str:
        """What of a held-out question stands in the texts; empty if nothing does."""
        assert self._rule is not None
        seen: set[int] = set()
        for tokens in texts:
            grams = _grams(tokens, self._rule.words)
            seen.update(grams)
            for at, gram in enumerate(grams):
                for question, source in self._short.get(gram, ()):
                    if tokens[at : at + len(question)] == question:
                        return f"holds a held-out question of {source}"
        hits = Counter(number for gram in seen for number in self._owners.get(gram, ()))
        for number, count in hits.most_common():
            # The second share tells apart two questions on one text.
            share = min(count / self._sizes[number], len(self._grams[number] & seen) / len(self._grams[number]))
            if share >= self._rule.coverage:
                return f"has {share:.0%} of a held-out question of {self._sources[number]}"
        return ""


def _grams(tokens: Sequence[str], size: int) -> list[int]:
    """Hashes of the runs of `size` tokens, in their order; none of fewer tokens."""
    return list(map(hash, zip(*(tokens[at:] for at in range(size)), strict=False)))


def _texts(sample: Sample) -> list[str]:
    """Texts that could hold a held-out question: the user's turns, the bare question, the answers."""
    texts = [message["content"] for message in sample.prompt if message["role"] == "user"]
    question = sample.meta.get("question")
    return [*texts, *([question] if isinstance(question, str) else []), *map(text_of, sides(sample).values())]
