"""No kind of example more often than wanted: a cap by tag (as in TuluTalk's mix, arXiv 2506.06522)."""

from __future__ import annotations

from collections import Counter

from synth.config.curation import Balance
from synth.curation.step import Fault
from synth.records import Sample

__all__ = ["Balanced", "tags"]


class Balanced:
    """Lets the first so many samples of each tag through; a sample of several tags needs room in all."""

    def __init__(self, rule: Balance) -> None:
        self.rule = rule
        self._taken: Counter[tuple[str, str]] = Counter()

    def __call__(self, sample: Sample) -> Sample | Fault:
        """The sample, or which of its tags is full. One without a tag passes."""
        found = [(sample.learner, tag) for tag in tags(sample, self.rule.by)]
        full = [tag for learner, tag in found if self._taken[learner, tag] >= self.rule.most]
        if full:
            return Fault("over-represented", f"{self.rule.most} of {self.rule.by} {full[0]} were kept before")
        self._taken.update(found)
        return sample


def tags(sample: Sample, by: str) -> tuple[str, ...]:
    """What a sample counts as."""
    if by == "family":
        return (sample.family,) if sample.family else ()
    if by == "skill":
        return sample.skills
    if by == "model":
        return tuple(call.model for call in sample.lineage.calls[-1:])
    if by.startswith("meta."):
        value = sample.meta.get(by.removeprefix("meta."))
        return (str(value),) if value is not None else ()
    return tuple(str(verdict.value) for verdict in sample.verdicts if verdict.name == by)
