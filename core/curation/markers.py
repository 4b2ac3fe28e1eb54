"""Training-time markers: what is known of a sample, told to the student while it learns and never after.

As in the prompts of Treasure Hunt (arXiv 2506.14702): markers stand at the end of the prompt, all of them
are left out of some samples and some of them out of the others, so that a prompt without any stays
familiar. The answers bear none here, since a student would write them when it is asked.
"""

from __future__ import annotations

import random

from synth.config.curation import Markers
from synth.curation.balance import tags
from synth.curation.step import Check
from synth.records import Sample

__all__ = ["MARKERS", "by_markers"]

MARKERS = "markers"
"""Where a sample's meta and a training row hold the text that training puts after the prompt."""


def by_markers(rule: Markers, seed: int) -> Check:
    """Gives samples their markers; what is left out depends on the seed and the sample alone."""

    def check(sample: Sample) -> Sample:
        chance = random.Random(f"{seed}/markers/{sample.id}")
        if chance.random() < rule.drop_all:
            return sample
        shown = [
            f"[{name.removeprefix('meta.')}: {', '.join(found)}]"
            for name in rule.by
            if (found := tags(sample, name)) and chance.random() >= rule.drop_each
        ]
        if not shown:
            return sample
        return sample.model_copy(update={"meta": {**sample.meta, MARKERS: " ".join(shown)}})

    return check
