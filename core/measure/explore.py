"""What a student can come to when it is asked several times: the coverage of right answers.

DRIFT (arXiv 2510.02341) claims that its students keep exploring where others narrow. Its own measure, the
share of a projected region of high reward, is not specified; this one needs no reward model: how many
different right answers there are among so many samples.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean

from synth.data.overlap import normalise
from synth.measure.change import Metric, values
from synth.records import Judged
from synth.runs.runfiles import Part

__all__ = ["Exploration", "averaged", "explore"]


class Exploration(Part):
    """Several answers to each item, drawn at a temperature."""

    samples: int
    """Answers to each item."""
    temperature: float
    ever: float
    """Share of the items that at least one answer was right on, 0..1."""
    distinct: float
    """Different right answers to an item, but for case and spacing; the mean over items, 0 to `samples`."""


def explore(judged: Sequence[Judged], temperature: float) -> Exploration:
    """The coverage of all answers to all items, as many to each. Raises `ValueError` without any."""
    items = _items(judged)
    if not items:
        raise ValueError("no answers")
    right = [{normalise(one.response) for one in answers if one.correct} for answers in items]
    return Exploration(
        samples=len(items[0]),
        temperature=temperature,
        ever=fmean(bool(found) for found in right),
        distinct=fmean(len(found) for found in right),
    )


def averaged(judged: Sequence[Judged], metric: Metric) -> list[Judged]:
    """One record an item, whose score is the mean of its answers under the metric: answers to the same
    item are no independent observations."""
    return [
        answers[0].model_copy(update={"score": fmean(values(answers, metric))}) for answers in _items(judged)
    ]


def _items(judged: Sequence[Judged]) -> list[list[Judged]]:
    groups: dict[str, list[Judged]] = defaultdict(list)
    for record in judged:
        groups[record.id].append(record)
    return list(groups.values())
