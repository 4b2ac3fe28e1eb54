"""The gate: a new student replaces the current one only if it is measurably better.

Both students answered the same held-out items, so the comparison is paired: what counts
are the items only one of them got right.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from synth.config.flowfile import Gate
from synth.errors import SynthError
from synth.figures import SPACE, percent, points, probability
from synth.records import Judged
from synth.stats import Interval, holm, mcnemar, paired_bootstrap, wilson

__all__ = ["Change", "Decision", "FamilyChange", "decide"]

Metric = Literal["accuracy", "strict_accuracy"]
Pair = tuple[bool, bool]
"""One item: right before, right after."""


class Change(BaseModel):
    """What became of a set of items under one metric. Shares are 0..1, intervals 95 %."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: Metric
    n: int
    before: float
    """Share right with the current student."""
    before_interval: Interval
    """Wilson."""
    after: float
    after_interval: Interval
    gained: int
    """Items wrong before and right after."""
    lost: int
    """Items right before and wrong after."""
    difference: float
    difference_interval: Interval
    """Paired bootstrap over items."""
    p_value: float
    """Exact McNemar, two-sided."""


class FamilyChange(Change):
    """The change within one task family."""

    family: str
    p_holm: float
    """`p_value` adjusted for looking at all the families."""


class Decision(Change):
    """The gate's decision under the metric it was asked to use, with all it rests on."""

    decision: Literal["promote", "keep"]
    test: Literal["mcnemar", "bootstrap"]
    alpha: float
    reason: str
    """One plain sentence."""
    accuracy: Change
    """The answer found in the response is right."""
    strict: Change
    """The response is the bare right answer."""
    families: list[FamilyChange]
    """In the order of their names."""


def decide(before: Sequence[Judged], after: Sequence[Judged], settings: Gate, seed: int = 0) -> Decision:
    """Compare two students on the same items; `seed` is that of the bootstrap.

    Promotes only if more items are right than before and the chosen test is significant
    at `settings.alpha`. Items are matched by id.

    Raises:
        SynthError: there are no items, an id occurs twice, or one side lacks items.
    """
    items = _match(before, after)
    accuracy = _change("accuracy", [(b.correct, a.correct) for b, a in items], seed)
    strict = _change("strict_accuracy", [(b.strict, a.strict) for b, a in items], seed)
    headline = accuracy if settings.metric == "accuracy" else strict
    significant, evidence = _test(headline, settings, seed)
    return Decision(
        **dict(headline),
        decision="promote" if significant and headline.difference > 0 else "keep",
        test=settings.test,
        alpha=settings.alpha,
        reason=_reason(headline, significant, evidence),
        accuracy=accuracy,
        strict=strict,
        families=_families(items, settings.metric, seed),
    )


def _match(before: Sequence[Judged], after: Sequence[Judged]) -> list[tuple[Judged, Judged]]:
    """Pair the two sides by id, in the order of `before`."""
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


def _change(metric: Metric, pairs: Sequence[Pair], seed: int) -> Change:
    n = len(pairs)
    right_before, right_after = sum(b for b, _ in pairs), sum(a for _, a in pairs)
    gained = sum(a and not b for b, a in pairs)
    lost = sum(b and not a for b, a in pairs)
    return Change(
        metric=metric,
        n=n,
        before=right_before / n,
        before_interval=wilson(right_before, n),
        after=right_after / n,
        after_interval=wilson(right_after, n),
        gained=gained,
        lost=lost,
        difference=(right_after - right_before) / n,
        difference_interval=paired_bootstrap([a - b for b, a in pairs], seed=seed),
        p_value=mcnemar(gained, lost),
    )


def _families(items: Iterable[tuple[Judged, Judged]], metric: Metric, seed: int) -> list[FamilyChange]:
    """The same figures a family, with p-values adjusted for their number."""
    groups: defaultdict[str, list[Pair]] = defaultdict(list)
    for b, a in items:
        groups[b.family].append((b.correct, a.correct) if metric == "accuracy" else (b.strict, a.strict))
    changes = {family: _change(metric, groups[family], seed) for family in sorted(groups)}
    adjusted = holm([change.p_value for change in changes.values()])
    return [
        FamilyChange(**dict(change), family=family, p_holm=p)
        for (family, change), p in zip(changes.items(), adjusted, strict=True)
    ]


def _test(change: Change, settings: Gate, seed: int) -> tuple[bool, str]:
    """Whether the change is significant under the chosen test, and the evidence in words."""
    if settings.test == "mcnemar":
        significant = change.p_value < settings.alpha
        relation = "is below" if significant else "is not below"
        return (
            significant,
            f"exact McNemar p{SPACE}{probability(change.p_value)} {relation} {settings.alpha:g}",
        )
    differences = [1.0] * change.gained + [-1.0] * change.lost
    differences += [0.0] * (change.n - len(differences))
    interval = paired_bootstrap(differences, level=1 - settings.alpha, seed=seed)
    significant = interval.excludes(0.0)
    relation = "excludes" if significant else "does not exclude"
    bounds = f"{points(interval.low)} to {points(interval.high)} points"
    return significant, f"the paired bootstrap interval at alpha {settings.alpha:g}, {bounds}, {relation} 0"


def _reason(change: Change, significant: bool, evidence: str) -> str:
    shares = f"{percent(change.after)} of {change.n} items right, {percent(change.before)} before"
    if change.difference > 0 and significant:
        return f"Promoted the new student: {shares}; {evidence}."
    if change.difference > 0:
        return f"Kept the current student: {shares}, but {evidence}."
    return f"Kept the current student: {shares}, which is no gain; {evidence}."
