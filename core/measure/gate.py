"""The gate: a new student replaces the current one only if it is measurably better."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from synth.config.flowfile import Gate
from synth.figures import SPACE, level, probability, shift
from synth.measure.change import Change, FamilyChange, Metric, change_of, families, match, values
from synth.measure.stats import Interval, paired_bootstrap
from synth.records import Judged

__all__ = ["Decision", "GuardChange", "Noise", "decide"]

Test = Literal["mcnemar", "bootstrap", "wilcoxon"]
TESTS = {"mcnemar": "exact McNemar", "wilcoxon": "Wilcoxon signed-rank"}


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
    Items are matched by id. Raises `SynthError` where they do not match.
    """
    items = match(before, after)
    scored = settings.metric == "score" or any(r.score != r.correct for item in items for r in item)
    plain: list[Metric] = ["accuracy", "strict_accuracy"]
    metrics: list[Metric] = [*plain, "score"] if scored else plain
    changes = {metric: change_of(items, metric, seed) for metric in metrics}
    headline = changes[settings.metric]
    pairs = [values(item, settings.metric) for item in items]
    significant, evidence = _test(headline, [new - old for old, new in pairs], settings, seed)
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
        families=families(items, settings.metric, seed),
    )


def _test(change: Change, differences: Sequence[float], settings: Gate, seed: int) -> tuple[bool, str]:
    """Whether the change is significant under the chosen test, and the evidence in words."""
    if settings.test != "bootstrap":
        significant = change.p_value < settings.alpha
        relation = "is below" if significant else "is not below"
        said = f"{TESTS[settings.test]} p{SPACE}{probability(change.p_value)}"
        return significant, f"{said} {relation} {settings.alpha:.3g}"
    interval = paired_bootstrap(differences, level=1 - settings.alpha, seed=seed)
    significant = interval.excludes(0.0)
    relation = "excludes" if significant else "does not exclude"
    unit = "" if change.metric == "score" else " points"
    bounds = f"{shift(interval.low, change.metric)} to {shift(interval.high, change.metric)}{unit}"
    return significant, f"the paired bootstrap interval at alpha {settings.alpha:.3g}, {bounds}, {relation} 0"


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
