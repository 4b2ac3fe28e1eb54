"""What control arms of several flows do to finished samples."""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Iterable

from synth.records import Sample, content_id

__all__ = ["swap_answers"]


def swap_answers(samples: Iterable[Sample], seed: int, alike: Callable[[Sample], Hashable]) -> list[Sample]:
    """The format-only control: every sample gets the answer of another one that is `alike`."""
    swapped = list(samples)
    rng = random.Random(f"{seed}/format")
    groups: dict[Hashable, list[int]] = {}
    for index, sample in enumerate(swapped):
        groups.setdefault(alike(sample), []).append(index)
    answers = [sample.completion for sample in swapped]
    for indices in groups.values():
        rng.shuffle(indices)
        for here, there in zip(indices, indices[1:] + indices[:1], strict=True):
            identity = content_id([swapped[here].prompt, answers[there]])
            swapped[here] = swapped[here].model_copy(update={"completion": answers[there], "id": identity})
    return swapped
