"""Held-out questions inside training data: short ones as a whole, of long ones most of what is theirs.

As in the decontamination of Tulu 3 (arXiv 2411.15124), a text repeats a question if runs of its words
cover enough of the question. One thing differs: runs that several held-out questions share belong to a
template and count for none of them, and a question made of such runs is searched for as a whole. Without it
a procedural family, whose questions differ in a number or two, would lose all of its training data.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import compress

from synth.config.curation import OverlapRule
from synth.curation.step import Fault, sides, text_of
from synth.data import normalise
from synth.records import Sample

__all__ = ["HeldOut", "asked_and_said"]

_CJK = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_TOKEN = re.compile(
    rf"\d+(?:[.,:]\d+)*|[{_CJK}]|[^\W\d{_CJK}][^\W{_CJK}]*(?:['\u2019][^\W\d{_CJK}]+)*"
    r"|[^\w\s.,;:!?'\"\u2018-\u201f`-]|-(?!\w)"
)
"""Words, numbers, signs, and the letters of scripts that put no space between words. Marks between
sentences and between the words of a compound are left out: a copy may write them otherwise."""
_ASCII = re.compile(r"\d+(?:[.,:]\d+)*|[A-Za-z_]\w*(?:'[A-Za-z_]+)*|[^\w\s.,;:!?'\"`-]|-(?!\w)", re.A)
"""The same where there is nothing else, and faster."""
TEMPLATE = 0.5
"""Share of a question's runs that must be its own; of others runs cannot tell which one it is."""


class HeldOut:
    """Knows the held-out questions; `texts` are their normalised texts, each with its source's name."""

    def __init__(self, texts: Mapping[str, str], rule: OverlapRule | None) -> None:
        self._texts = texts
        self._rule = rule
        self._whole: dict[int, dict[int, dict[int, str]]] = {}
        """First run -> number of tokens -> hash of them all -> source: questions searched as a whole."""
        self._owners: dict[int, tuple[int, ...]] = {}
        """Run -> the long questions it is peculiar to."""
        self._sources: list[str] = []
        self._runs: list[array[int]] = []
        """Of every long question its runs, one for each token but the last few."""
        if rule is not None:
            self._learn([(_tokens(text), source) for text, source in texts.items()], rule)

    def _learn(self, questions: Sequence[tuple[list[str], str]], rule: OverlapRule) -> None:
        long = [(tokens, source) for tokens, source in questions if len(tokens) > rule.whole]
        self._sources = [source for _, source in long]
        self._runs = [array("q", _runs(tokens, rule.words)) for tokens, _ in long]
        owners: dict[int, tuple[int, ...]] = {}
        for number, runs in enumerate(self._runs):
            for run in set(runs):
                earlier = owners.get(run, ())
                if len(earlier) < rule.common:
                    owners[run] = (*earlier, number)
        self._owners = {run: found for run, found in owners.items() if len(found) < rule.common}
        told = [sum(run in self._owners for run in runs) >= TEMPLATE * len(runs) for runs in self._runs]
        alike = [asked for asked, tells in zip(long, told, strict=True) if not tells]
        short = [(tokens, source) for tokens, source in questions if len(tokens) <= rule.whole]
        for tokens, source in (*short, *alike):
            for run in _runs(tokens, rule.words)[:1]:
                lengths = self._whole.setdefault(run, {})
                lengths.setdefault(len(tokens), {})[hash(tuple(tokens))] = source
        known = set(compress(range(len(told)), told))
        own = ((run, tuple(n for n in found if n in known)) for run, found in self._owners.items())
        self._owners = {run: found for run, found in own if found}

    def __call__(self, sample: Sample) -> Sample | Fault:
        """The sample, or which source's question is in it."""
        texts = [normalise(text) for text in asked_and_said(sample)]
        for text in texts:
            if text in self._texts:
                return Fault("contaminated", f"repeats a held-out question of {self._texts[text]}")
        if self._rule is not None and (self._whole or self._owners):
            found = self._inside([_tokens(text) for text in texts], self._rule)
            return Fault("contaminated", found) if found else sample
        return sample

    def _inside(self, texts: list[list[str]], rule: OverlapRule) -> str:
        """What of a held-out question stands in the texts; empty if nothing does."""
        seen: set[int] = set()
        for tokens in texts:
            runs = _runs(tokens, rule.words)
            known = set(runs)
            seen |= known
            if self._whole.keys().isdisjoint(known):
                continue
            for at, run in enumerate(runs):
                for length, whole in self._whole.get(run, {}).items():
                    source = whole.get(hash(tuple(tokens[at : at + length])))
                    if source is not None:
                        return f"holds a held-out question of {source}"
        if self._owners.keys().isdisjoint(seen):
            return ""
        hits = Counter(number for run in seen & self._owners.keys() for number in self._owners[run])
        for number, count in hits.most_common():
            if count * rule.words < rule.coverage * len(self._runs[number]):
                continue  # too few to cover enough of it, wherever they are
            share = self._share(number, seen, rule.words)
            if share >= rule.coverage:
                return f"has {share:.0%} of a held-out question of {self._sources[number]}"
        return ""

    def _share(self, number: int, seen: Collection[int], words: int) -> float:
        """How much of a question's tokens stand in runs that were seen: of all of them and of those that are
        in runs of its own, whichever is less. The former tells apart two questions on one text."""
        runs = self._runs[number]
        own = [run in self._owners for run in runs]
        there = [run in seen for run in runs]
        ours = [mine and found for mine, found in zip(own, there, strict=True)]
        size = len(runs) + words - 1
        return min(_covered(there, words) / size, _covered(ours, words) / max(1, _covered(own, words)))


def _tokens(text: str) -> list[str]:
    return (_ASCII if text.isascii() else _TOKEN).findall(text)


def _covered(runs: Sequence[bool], words: int) -> int:
    """Tokens in the runs that are marked."""
    count, end = 0, 0
    for at in compress(range(len(runs)), runs):
        count += at + words - max(at, end)
        end = at + words
    return count


def _runs(tokens: Sequence[str], size: int) -> list[int]:
    """Hashes of the runs of `size` tokens, in their order; none of fewer tokens."""
    return list(map(hash, zip(*(tokens[at:] for at in range(size)), strict=False)))


def asked_and_said(sample: Sample) -> list[str]:
    """Texts that could hold a held-out question: the user's turns, the bare question, the answers."""
    texts = [message["content"] for message in sample.prompt if message["role"] == "user"]
    question = sample.meta.get("question")
    if isinstance(question, str) and question not in texts:
        texts.append(question)
    return [*texts, *map(text_of, sides(sample).values())]
