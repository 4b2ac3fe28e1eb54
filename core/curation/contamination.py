"""Held-out questions inside training data: short ones as a whole, of long ones most of what is theirs.

Word n-grams with coverage, as in the decontamination of Tulu 3 (arXiv 2411.15124), with one change:
n-grams that several held-out questions share belong to a template and count for none of them, and a
question made of such n-grams is searched for as a whole. Without it a procedural family, whose questions
differ in a number or two, would lose all of its training data.
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

_TOKEN = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+|[^\w\s]"
)
"""Words, numbers, marks, and the letters of scripts that put no space between words."""


TEMPLATE = 0.5
"""Share of a question's n-grams that must be its own; of others n-grams cannot tell which one it is."""


class HeldOut:
    """Knows the held-out questions; `texts` are their normalised texts, each with its source's name."""

    def __init__(self, texts: Mapping[str, str], rule: OverlapRule | None) -> None:
        self._texts = texts
        self._rule = rule
        self._whole: dict[int, dict[int, dict[int, str]]] = {}
        """First n-gram -> number of tokens -> hash of them all -> source: questions searched as a whole."""
        self._owners: dict[int, tuple[int, ...]] = {}
        """N-gram -> the other questions it is peculiar to."""
        self._sources: list[str] = []
        self._grams: list[frozenset[int]] = []
        self._sizes: Counter[int] = Counter()
        """How many n-grams are peculiar to each."""
        if rule is not None:
            self._learn([(_TOKEN.findall(text), source) for text, source in texts.items()], rule)

    def _learn(self, questions: Sequence[tuple[list[str], str]], rule: OverlapRule) -> None:
        long = [(tokens, source) for tokens, source in questions if len(tokens) > rule.whole]
        self._sources = [source for _, source in long]
        self._grams = [frozenset(_grams(tokens, rule.words)) for tokens, _ in long]
        owners: dict[int, tuple[int, ...]] = {}
        for number, grams in enumerate(self._grams):
            for gram in grams:
                earlier = owners.get(gram, ())
                if len(earlier) < rule.common:
                    owners[gram] = (*earlier, number)
        self._owners = {gram: found for gram, found in owners.items() if len(found) < rule.common}
        self._sizes.update(number for found in self._owners.values() for number in found)
        alike = [asked for number, asked in enumerate(long) if not self._tells(number)]
        short = [(tokens, source) for tokens, source in questions if len(tokens) <= rule.whole]
        for tokens, source in (*short, *alike):
            for gram in _grams(tokens, rule.words)[:1]:
                lengths = self._whole.setdefault(gram, {})
                lengths.setdefault(len(tokens), {})[hash(tuple(tokens))] = source

    def _tells(self, number: int) -> bool:
        """Whether n-grams tell this question from the others."""
        return self._sizes[number] >= TEMPLATE * len(self._grams[number])

    def __call__(self, sample: Sample) -> Sample | Fault:
        """The sample, or which source's question is in it."""
        texts = [normalise(text) for text in _texts(sample)]
        for text in texts:
            if text in self._texts:
                return Fault("contaminated", f"repeats a held-out question of {self._texts[text]}")
        if self._whole or self._owners:
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
                for length, known in self._whole.get(gram, {}).items():
                    source = known.get(hash(tuple(tokens[at : at + length])))
                    if source is not None:
                        return f"holds a held-out question of {source}"
        hits = Counter(number for gram in seen for number in self._owners.get(gram, ()))
        for number, count in hits.most_common():
            if self._tells(number):
                # The second share tells apart two questions on one text.
                every = self._grams[number]
                share = min(count / self._sizes[number], len(every & seen) / len(every))
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
