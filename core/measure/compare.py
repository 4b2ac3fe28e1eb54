"""Several runs side by side: what each made of its student, on the same held-out items."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from synth.engine.flow import NO_TRAINING
from synth.measure.change import Metric, change, values
from synth.measure.examined import Examined, RunResult, metric_of, read_flow, read_run, same_exam
from synth.measure.forecast import Forecast, Size
from synth.measure.growth import foreseen, results
from synth.measure.stats import Interval, holm, two_level_bootstrap
from synth.records import Judged
from synth.runs.runfiles import Part

__all__ = ["Arm", "Comparison", "Difference", "RunResult", "compare"]

UNEQUAL = 0.1
"""Arms whose training tokens differ by more than this share are not compared at equal size."""


class Difference(Part):
    """An arm against the first one, after training against after training."""

    difference: float
    interval: Interval
    p_value: float
    p_holm: float
    test: str
    gained: int | None = None
    """Items only this arm got right, or did better; None where several seeds were averaged."""
    lost: int | None = None


class Arm(Part):
    """Runs that differ in nothing but seeds; their mean."""

    arm: str
    runs: list[str]
    before: float
    after: float
    train_tokens: float | None = None
    against_first: Difference | None = None


class Comparison(BaseModel):
    """What `synth compare` prints."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: Metric
    items: int
    runs: list[RunResult]
    arms: list[Arm]
    forecasts: list[Forecast] = Field(default_factory=list)
    """Of runs that differ in nothing but seeds and how much was trained on, where there are enough sizes."""
    warnings: list[str] = Field(default_factory=list)


def compare(folders: Sequence[Path], metric: Metric | None = None, number: int | None = None) -> Comparison:
    """Compare the students of runs; the first run's arm is what the others are held against.

    `metric` is by default that of the first run's gate, the round (`number`) each run's last with
    both exams. Raises `RunError` where a run has no exams or was examined on other items.
    """
    flows = [read_flow(folder) for folder in folders]
    chosen: Metric = metric or metric_of(flows[0])
    reads = [read_run(folder, flow, chosen, number) for folder, flow in zip(folders, flows, strict=True)]
    for other in reads[1:]:
        same_exam(reads[0], other)
    groups: dict[str, list[Examined]] = {}
    for one in reads:
        groups.setdefault(one.key, []).append(one)
    arms = _arms(list(groups.values()), chosen)
    return Comparison(
        metric=chosen,
        items=reads[0].result.change.n,
        runs=[one.result for one in reads],
        arms=arms,
        forecasts=_forecasts(reads, chosen),
        warnings=[*_twins(reads), *_warnings(arms)],
    )


def _arms(groups: Sequence[Sequence[Examined]], metric: Metric) -> list[Arm]:
    """The groups in their order, with p-values adjusted for the number of comparisons."""
    against = [_against(groups[0], group, metric) for group in groups[1:]]
    adjusted = holm([found.p_value for found in against])
    paired = zip(against, adjusted, strict=True)
    differences = [None, *(found.model_copy(update={"p_holm": p}) for found, p in paired)]
    titles = [group[0].result.arm for group in groups]
    return [
        _arm(group, title if titles.count(title) == 1 else f"{title} ({group[0].result.run})", difference)
        for group, title, difference in zip(groups, titles, differences, strict=True)
    ]


def _arm(group: Sequence[Examined], title: str, difference: Difference | None) -> Arm:
    results = [one.result for one in group]
    tokens = [result.train_tokens for result in results if result.train_tokens is not None]
    return Arm(
        arm=title,
        runs=[result.run for result in results],
        before=_mean([result.change.before for result in results]),
        after=_mean([result.change.after for result in results]),
        train_tokens=_mean(tokens) if len(tokens) == len(results) else None,
        against_first=difference,
    )


def _against(first: Sequence[Examined], group: Sequence[Examined], metric: Metric) -> Difference:
    """One run against one: a test over items. Several seeds: seeds, then items."""
    if len(first) == len(group) == 1:
        found = change(first[0].after, group[0].after, metric)
        test = "Wilcoxon signed-rank" if metric == "score" else "exact McNemar"
        return Difference(
            difference=found.difference,
            interval=found.difference_interval,
            p_value=found.p_value,
            p_holm=found.p_value,
            test=test,
            gained=found.gained,
            lost=found.lost,
        )
    order = [record.id for record in first[0].after]
    one, two = ([values(_in_order(read.after, order), metric) for read in reads] for reads in (first, group))
    interval, p = two_level_bootstrap(one, two)
    difference = _mean([_mean(row) for row in two]) - _mean([_mean(row) for row in one])
    test = f"bootstrap of {len(one)} and {len(two)} seeds, then items"
    return Difference(difference=difference, interval=interval, p_value=p, p_holm=p, test=test)


def _in_order(records: Sequence[Judged], order: Sequence[str]) -> list[Judged]:
    by_id = {record.id: record for record in records}
    return [by_id[name] for name in order]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _forecasts(reads: Sequence[Examined], metric: Metric) -> list[Forecast]:
    """One for every kind of run that was made in several sizes."""
    groups: dict[str, list[Size]] = {}
    for read in reads:
        tokens = read.result.train_tokens
        if tokens is not None:
            groups.setdefault(read.sizeless, []).append(Size(tokens, results(read.after, metric)))
    found = [foreseen(sizes, metric) for sizes in groups.values()]
    return [one for one in found if one is not None]


def _twins(reads: Sequence[Examined]) -> list[str]:
    """Runs with the same settings and the same seeds, which are no second look at chance."""
    groups: dict[str, list[str]] = {}
    for read in reads:
        groups.setdefault(read.twin, []).append(str(read.result.folder))
    return [
        f"{' and '.join(group)} have the same settings and seeds: one of them says all"
        for group in groups.values()
        if len(group) > 1
    ]


def _warnings(arms: Sequence[Arm]) -> list[str]:
    trained = [arm for arm in arms if not arm.arm.startswith(NO_TRAINING)]
    unknown = [arm.arm for arm in trained if arm.train_tokens is None]
    found = [f"nothing says how many tokens {', '.join(unknown)} trained on"] if unknown else []
    known = {arm.arm: arm.train_tokens for arm in trained if arm.train_tokens is not None}
    if len(known) > 1:
        least, most = min(known, key=lambda name: known[name]), max(known, key=lambda name: known[name])
        if known[most] > (1 + UNEQUAL) * known[least]:
            found.append(
                f"not at equal size: {most} trained on {known[most]:,.0f} tokens, {least} on "
                f"{known[least]:,.0f}; set the same budget.train_tokens for all arms"
            )
    if len(arms) == 1:
        found.append("these runs differ in nothing but seeds: there is no other arm to compare with")
    few = [arm for arm in arms if 1 < len(arm.runs) < 5]
    if few:
        found.append("fewer than five seeds an arm: intervals over seeds are too narrow")
    return found
