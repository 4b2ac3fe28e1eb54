"""Curriculum: which sources to draw questions from next, by a bandit over them (DUMP, arXiv 2504.09710).

A source is worth what its answers still teach, the mean size of their advantages, and a bonus for
having been drawn seldom (UCB1). What is always right or always wrong has no advantage and teaches nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from pydantic import Field

from synth.runs.runfiles import Part

__all__ = ["CURRICULUM", "Mix", "Source", "SourceMix", "advantages", "apportion", "probabilities", "ucb"]

CURRICULUM = "curriculum.json"

TINY = 1e-6
"""Added to a standard deviation that is divided by, as in GRPO (arXiv 2402.03300)."""


@dataclass(frozen=True)
class Source:
    """One source as far as it is known: what its latest answers taught, and how often it was drawn."""

    advantage: float
    """Mean size of the advantages of its latest answers."""
    drawn: int
    """Questions drawn from it so far."""


class SourceMix(Part):
    """One source of the pool in one round."""

    source: str
    advantage: float
    """Mean size of the advantages of its latest answers."""
    right: float
    """Mean score of the student's answers in this round."""
    share: float
    """How often to draw from it, 0..1."""
    drawn: int
    """Questions drawn from it for this round."""
    held: int
    """Questions the pool has of it."""


class Mix(Part):
    """What a round draws from; `curriculum.json`."""

    sources: list[SourceMix] = Field(default_factory=list)


def advantages(rewards: Sequence[float]) -> list[float]:
    """Of the answers to one question: each reward's distance from their mean, in standard deviations.

    All 0 where the answers are equally good, or there is only one.
    """
    if len(rewards) < 2:
        return [0.0] * len(rewards)
    mean, spread = fmean(rewards), stdev(rewards)
    return [(reward - mean) / (spread + TINY) for reward in rewards]


def ucb(source: Source, drawn: int) -> float:
    """The upper confidence bound of a source; `drawn` are the questions drawn from all of them."""
    return source.advantage + math.sqrt(2 * math.log(drawn + 1) / (source.drawn + 1))


def probabilities(sources: Mapping[str, Source], temperature: float) -> dict[str, float]:
    """Name -> how often to draw from it: a softmax of the bounds over `temperature`."""
    drawn = sum(source.drawn for source in sources.values())
    bounds = {name: ucb(source, drawn) for name, source in sources.items()}
    most = max(bounds.values(), default=0.0)
    weights = {name: math.exp((bound - most) / temperature) for name, bound in bounds.items()}
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def apportion(shares: Mapping[str, float], held: Mapping[str, int], size: int) -> dict[str, int]:
    """Name -> questions to draw, `size` in all: by the shares, never more than a source holds.

    What a source cannot give goes to the others by their shares; fractions go to the largest first.
    """
    given = dict.fromkeys(shares, 0)
    left = min(size, sum(held[name] for name in shares))
    while left:
        room = {name: share for name, share in shares.items() if given[name] < held[name]}
        total = sum(room.values())
        even = total == 0
        wanted = {name: left * (1 / len(room) if even else share / total) for name, share in room.items()}
        parts = {name: min(int(part), held[name] - given[name]) for name, part in wanted.items()}
        if not any(parts.values()):
            order = sorted(room, key=lambda name: (-wanted[name], name))
            parts = dict.fromkeys(order[:left], 1)
        for name, part in parts.items():
            given[name] += part
        left -= sum(parts.values())
    return given
