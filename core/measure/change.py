"""From one student to another on the same held-out items: what was gained, what was lost.

Both answered the same items, so the comparison is paired: what counts are the items only one of
them got right, or those whose score changed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from synth.errors import SynthError
from synth.measure.stats import Interval, holm, mcnemar, paired_bootstrap, wilcoxon, wilson
from synth.records import Judged

__all__ = [
    "Change",
    "FamilyChange",
    "Metric",
    "change",
    "change_of",
    "families",
    "match",
    "standing",
    "values",
]

Metric = Literal["accuracy", "strict_accuracy", "score"]
FIELDS = {"accuracy": "correct", "strict_accuracy": "strict", "score": "score"}
Both = tuple[Judged, Judged]
"""One item as the current student answered it, and as the new one did."""


class Change(BaseModel):
    """What became of a set of items under one metric. Shares are 0..1, intervals 95 %.

    Under the metric `score` the figures are means, in the verifier's unit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: Metric
    n: int
    before: float
    """Share right, or mean score, with the current student."""
    before_interval: Interval
    """Wilson; of a mean score the bootstrap's."""
    after: float
    after_interval: Interval
    gained: int
    """Items wrong before and right after, or with a higher score."""
    lost: int
    """Items right before and wrong after, or with a lower score."""
    difference: float
    difference_interval: Interval
    """Paired bootstrap over items."""
    p_value: float
    """Two-sided: exact McNemar, of scores Wilcoxon's signed-rank test."""


class FamilyChange(Change):
    """The change within one task family."""

    family: str
    p_holm: float
    """`p_value` adjusted for looking at all the families."""


def change(before: Sequence[Judged], after: Sequence[Judged], metric: Metric, seed: int = 0) -> Change:
    """From one student to another on the same items, matched by id; `seed` is that of the bootstrap.

    Raises `SynthError` as `match` does.
    """
    return change_of(match(before, after), metric, seed)


def change_of(items: Iterable[Both], metric: Metric, seed: int = 0) -> Change:
    """The same of items that are matched already."""
    left, right = zip(*items, strict=True)
    before, after = values(left, metric), values(right, metric)
    differences = [a - b for b, a in zip(before, after, strict=True)]
    gained, lost = sum(d > 0 for d in differences), sum(d < 0 for d in differences)
    n = len(differences)
    return Change(
        metric=metric,
        n=n,
        before=sum(before) / n,
        before_interval=_interval(metric, before, seed),
        after=sum(after) / n,
        after_interval=_interval(metric, after, seed),
        gained=gained,
        lost=lost,
        difference=sum(differences) / n,
        difference_interval=paired_bootstrap(differences, seed=seed),
        p_value=wilcoxon(differences) if metric == "score" else mcnemar(gained, lost),
    )


def families(items: Iterable[Both], metric: Metric, seed: int) -> list[FamilyChange]:
    """The change within each family, by name, with p-values adjusted for their number."""
    groups: defaultdict[str, list[Both]] = defaultdict(list)
    for item in items:
        groups[item[0].family].append(item)
    changes = {family: change_of(groups[family], metric, seed) for family in sorted(groups)}
    adjusted = holm([found.p_value for found in changes.values()])
    return [
        FamilyChange(**dict(found), family=family, p_holm=p)
        for (family, found), p in zip(changes.items(), adjusted, strict=True)
    ]


def standing(records: Sequence[Judged], metric: Metric, seed: int = 0) -> tuple[float, Interval]:
    """Where one student stands under a metric: share right or mean score, and its 95 % interval."""
    found = values(records, metric)
    return sum(found) / len(found), _interval(metric, found, seed)


def values(records: Iterable[Judged], metric: Metric) -> list[float]:
    """What each item counts under a metric: 1 or 0 for right or wrong, or its score."""
    return [float(getattr(record, FIELDS[metric])) for record in records]


def match(before: Sequence[Judged], after: Sequence[Judged]) -> list[Both]:
    """Pair the two sides by id, in the order of `before`.

    Raises `SynthError`: there are no items, an id occurs twice, or one side lacks items.
    """
    for side, records in (("current", before), ("new", after)):
        twice = [item for item, times in Counter(record.id for record in records).items() if times > 1]
        if twice:
            raise SynthError(
                f"comparing two students: {_named(twice)} judged more than once for the {side} student",
                "Each held-out item may be judged once; remove the duplicates from the test set.",
            )
    left, right = {r.id: r for r in before}, {r.id: r for r in after}
    if missing := left.keys() ^ right.keys():
        raise SynthError(
            f"comparing two students: {_named(sorted(missing))} judged for one of them only "
            f"(current {len(left)}, new {len(right)})",
            "Both must answer the same items; evaluate both again on the same test set.",
        )
    if not left:
        raise SynthError(
            "comparing two students: no item was judged for either",
            "Give the test set at least one item (data.test in the flow file).",
        )
    return [(record, right[record.id]) for record in before]


def _named(ids: Sequence[str]) -> str:
    """`item abc is`, `3 items (abc, def, ghi) are`: for a message."""
    if len(ids) == 1:
        return f"item {ids[0]} is"
    shown = ", ".join(ids[:3]) + (", …" if len(ids) > 3 else "")
    return f"{len(ids)} items ({shown}) are"


def _interval(metric: Metric, found: Sequence[float], seed: int) -> Interval:
    if metric == "score":
        return paired_bootstrap(found, seed=seed)
    return wilson(round(sum(found)), len(found))
