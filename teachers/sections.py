"""Programs that write about the built-in topics (`synth.data.topics`) in so many bold sections.

`{program: "synth.teachers.sections:strong"}` plays a model that writes three sections, `weak` one
that writes two: of the same answer, so that the third section is all they differ in, as where both are
cut from one text. A further `sample` is another answer of the same length. `one_to_four` and
`one_plus_poisson` write any number of sections, to warm a student up or to train one from nothing.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from synth.data.topics import kind_of
from synth.records import Message

__all__ = ["one_plus_poisson", "one_to_four", "strong", "weak", "write"]

MEAN = 3.0
"""Sections beyond the first that `one_plus_poisson` writes on average."""


def strong(messages: Sequence[Message], sample: int = 0) -> str:
    """Three sections about the topic asked for. Raises `ValueError` for any other question."""
    return write(messages, 3, sample)


def weak(messages: Sequence[Message], sample: int = 0) -> str:
    """The first two sections of what `strong` writes."""
    return write(messages, 2, sample)


def one_to_four(messages: Sequence[Message], sample: int = 0) -> str:
    """One to four sections, each number as often as the others."""
    return write(messages, _chance(messages, sample, "number").randint(1, 4), sample)


def one_plus_poisson(messages: Sequence[Message], sample: int = 0) -> str:
    """One section and a Poisson number more."""
    rng, left, more = _chance(messages, sample, "number"), math.exp(-MEAN), 0
    product = rng.random()
    while product > left:  # Knuth's method
        product *= rng.random()
        more += 1
    return write(messages, 1 + more, sample)


def write(messages: Sequence[Message], sections: int, sample: int = 0) -> str:
    """At most so many sections (a topic has twelve) in an order that depends on question and sample."""
    kind = kind_of(messages[-1]["content"])
    rng = _chance(messages, sample, "text")
    order = rng.sample(sorted(kind.sections), len(kind.sections))
    written = [f"**{heading}**\n{rng.choice(kind.sections[heading])}" for heading in order]
    return "\n".join(written[:sections])


def _chance(messages: Sequence[Message], sample: int, what: str) -> random.Random:
    return random.Random(f"{what}/{sample}/{messages[-1]['content']}")
