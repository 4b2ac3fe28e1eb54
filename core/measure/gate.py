"""The gate: a new student replaces the current one only if it is measurably better.

Both students answered the same held-out items, so the comparison is paired: what counts
are the items only one of them got right, or those whose score changed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from synth.config.flowfile import Gate
from synth.errors import SynthError
from synth.figures import SPACE, level, probability, shift
from synth.measure.stats import Interval, holm, mcnemar, paired_bootstrap, wilcoxon, wilson
from synth.records import Judged

__all__ = [
    "Change",
    "Decision",
    "FamilyChange",
    "GuardChange",
    "Metric",
    "Noise",
    "change",
    "decide",
    "standing",
]

Metric = Literal["accuracy", "strict_accuracy", "score"]
Test = Literal["mcnemar", "bootstrap", "wilcoxon"]
Pair = tuple[float, float]
"""One item: its score before and after; 1 or 0 for right or wrong."""
TESTS = {"mcnemar": "exact McNemar", "wilcoxon": "Wilcoxon signed-rank"}


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


class GuardChange(Change):
    """The change on a guard suite, and whether a fall by its margin or more is ruled out."""

    name: str
    margin: float
    p_fall: float
    """One-sided: of such a result or a better one, had the student fallen by the margin."""
    holds: bool


class Noise(BaseModel):
    """What of an exam turns when the same student is examined again, nothing having been trained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n: int
    turned: int
    """Items right once and wrong once."""
    share: float
    interval: Interval
    """Wilson."""


class Decision(Change):
    """The gate's decision under the metric it was asked to use, with all it rests on."""

    decision: Literal["promote", "keep"]
    test: Test
    alpha: float
    reason: str
    """One plain sentence."""
    accuracy: Change
    """The answer found in the response is right."""
    strict: Change
    """The response is the bare right answer."""
    score: Change | None = None
    """The verifier's own number, where it says more than right or wrong."""
    families: list[FamilyChange]
    """In the order of their names."""
    guards: list[GuardChange] = Field(default_factory=list)
    noise: Noise | None = None
    looks: int = 1
    """Rounds that share the flow file's alpha; `alpha` is this round's part."""


def decide(before: Sequence[Judged], after: Sequence[Judged], settings: Gate, seed: int = 0) -> Decision:
    """Compare two students on the same items; `seed` is that of the bootstrap.

    Promotes only if more items are right than before (or the mean score is higher) and the chosen
    test is significant at `settings.alpha`; with `settings.promote` `always` whatever comes out.
    Items are matched by id.

    Raises:
        SynthError: there are no items, an id occurs twice, or one side lacks items.
    """
    items = _match(before, after)
    scored = settings.metric == "score" or any(r.score != r.correct for item in items for r in item)
    plain: list[Metric] = ["accuracy", "strict_accuracy"]
    metrics: list[Metric] = [*plain, "score"] if scored else plain
    changes = {metric: _change(metric, _pairs(items, metric), seed) for metric in metrics}
    headline = changes[settings.metric]
    significant, evidence = _test(headline, _pairs(items, settings.metric), settings, seed)
    better = significant and headline.difference > 0
    return Decision(
        **dict(headline),
        decision="promote" if better or settings.promote == "always" else "keep",
        test=settings.test,
        alpha=settings.alpha,
        reason=_reason(headline, better, evidence, settings),
        accuracy=changes["accuracy"],
        strict=changes["strict_accuracy"],
        score=changes.get("score"),
        families=_families(items, settings.metric, seed),
    )


def change(before: Sequence[Judged], after: Sequence[Judged], metric: Metric, seed: int = 0) -> Change:
    """From one student to another on the same items, matched by id. Raises as `decide` does."""
    return _change(metric, _pairs(_match(before, after), metric), seed)


def standing(records: Sequence[Judged], metric: Metric, seed: int = 0) -> tuple[float, Interval]:
    """Where one student stands under a metric: share right or mean score, and its 95 % interval."""
    values = [value for value, _ in _pairs(zip(records, records, strict=True), metric)]
    return sum(values) / len(values), _interval(metric, values, seed)


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


def _pairs(items: Iterable[tuple[Judged, Judged]], metric: Metric) -> list[Pair]:
    field = {"accuracy": "correct", "strict_accuracy": "strict", "score": "score"}[metric]
    return [(float(getattr(b, field)), float(getattr(a, field))) for b, a in items]


def _change(metric: Metric, pairs: Sequence[Pair], seed: int) -> Change:
    n = len(pairs)
    before, after = [b for b, _ in pairs], [a for _, a in pairs]
    differences = [a - b for b, a in pairs]
    gained, lost = sum(d > 0 for d in differences), sum(d < 0 for d in differences)
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


def _interval(metric: Metric, values: Sequence[float], seed: int) -> Interval:
    if metric == "score":
        return paired_bootstrap(values, seed=seed)
    return wilson(round(sum(values)), len(values))


def _families(items: Iterable[tuple[Judged, Judged]], metric: Metric, seed: int) -> list[FamilyChange]:
    """The same figures a family, with p-values adjusted for their number."""
    groups: defaultdict[str, list[tuple[Judged, Judged]]] = defaultdict(list)
    for b, a in items:
        groups[b.family].append((b, a))
    changes = {family: _change(metric, _pairs(groups[family], metric), seed) for family in sorted(groups)}
    adjusted = holm([change.p_value for change in changes.values()])
    return [
        FamilyChange(**dict(change), family=family, p_holm=p)
        for (family, change), p in zip(changes.items(), adjusted, strict=True)
    ]


def _test(change: Change, pairs: Sequence[Pair], settings: Gate, seed: int) -> tuple[bool, str]:
    """Whether the change is significant under the chosen test, and the evidence in words."""
    if settings.test != "bootstrap":
        significant = change.p_value < settings.alpha
        relation = "is below" if significant else "is not below"
        said = f"{TESTS[settings.test]} p{SPACE}{probability(change.p_value)}"
        return significant, f"{said} {relation} {settings.alpha:g}"
    interval = paired_bootstrap([a - b for b, a in pairs], level=1 - settings.alpha, seed=seed)
    significant = interval.excludes(0.0)
    relation = "excludes" if significant else "does not exclude"
    unit = "" if change.metric == "score" else " points"
    bounds = f"{shift(interval.low, change.metric)} to {shift(interval.high, change.metric)}{unit}"
    return significant, f"the paired bootstrap interval at alpha {settings.alpha:g}, {bounds}, {relation} 0"


def _reason(change: Change, better: bool, evidence: str, settings: Gate) -> str:
    before, after = level(change.before, change.metric), level(change.after, change.metric)
    if change.metric == "score":
        shares = f"mean score {after} over {change.n} items, {before} before"
    else:
        shares = f"{after} of {change.n} items right, {before} before"
    if better:
        return f"Promoted the new student: {shares}; {evidence}."
    no_gain = "" if change.difference > 0 else ", which is no gain"
    if settings.promote == "always":
        return f"Promoted the new student, as the gate always does here: {shares}{no_gain}; {evidence}."
    if change.difference > 0:
        return f"Kept the current student: {shares}, but {evidence}."
    return f"Kept the current student: {shares}{no_gain}; {evidence}."
