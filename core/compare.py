"""Several runs side by side: what each made of its student, on the same held-out items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, Field

from synth.errors import RunError
from synth.gate import Change, Metric, change
from synth.records import Judged, content_id
from synth.runfiles import Part, read_json, read_lines, read_yaml
from synth.stats import Interval, holm, two_level_bootstrap

__all__ = ["Arm", "Comparison", "Difference", "RunResult", "compare"]

UNEQUAL = 0.1
"""Arms whose training tokens differ by more than this share are not compared at equal size."""
NO_TRAINING = "control-none"
CHANCE = ("name", "prices", "profiles")
"""Settings that do not tell arms apart; seeds are left out beside them."""


class RunResult(Part):
    """One run: its student before and after, on all items."""

    run: str
    folder: Path
    flow: str
    arm: str
    seed: int
    round: int
    """The round whose new student is looked at; `before` is the first round's base."""
    change: Change
    train_tokens: int | None = None
    """Tokens the student was trained on in all rounds up to this one."""
    promoted: bool | None = None


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
    warnings: list[str] = Field(default_factory=list)


@dataclass(frozen=True)
class _Read:
    """One run as read: its result, both exams, and what makes it the arm it is."""

    result: RunResult
    after: list[Judged]
    key: str
    """Hash of the settings without seeds: the arm."""
    twin: str
    """Hash of the settings with seeds."""
    verifier: str


class _Trained(Part):
    tokens: int = 0


class _Gated(Part):
    decision: str


def compare(folders: Sequence[Path], metric: Metric | None = None, number: int | None = None) -> Comparison:
    """Compare the students of runs; the first run's arm is what the others are held against.

    `metric` is by default that of the first run's gate, the round (`number`) each run's last with
    both exams. Raises `RunError` where a run has no exams or was examined on other items.
    """
    flows = [_flow(folder) for folder in folders]
    chosen: Metric = metric or _metric(flows[0])
    reads = [_read(folder, flow, chosen, number) for folder, flow in zip(folders, flows, strict=True)]
    for other in reads[1:]:
        _same_exam(reads[0], other)
    groups: dict[str, list[_Read]] = {}
    for one in reads:
        groups.setdefault(one.key, []).append(one)
    arms = _arms(list(groups.values()), chosen)
    return Comparison(
        metric=chosen,
        items=reads[0].result.change.n,
        runs=[one.result for one in reads],
        arms=arms,
        warnings=[*_twins(reads), *_warnings(arms)],
    )


def _flow(folder: Path) -> dict[str, Any]:
    warnings: list[str] = []
    flow = read_yaml(folder / "flow.yaml", warnings)
    if not flow:
        why = warnings[0] if warnings else "there is no flow.yaml"
        raise RunError(f"reading the run in {folder}: {why}", "name folders that `synth run` made: runs/NAME")
    return flow


def _metric(flow: Mapping[str, Any]) -> Metric:
    named = (flow.get("gate") or {}).get("metric", "accuracy")
    return named if named in get_args(Metric) else "accuracy"


def _read(folder: Path, flow: Mapping[str, Any], metric: Metric, wanted: int | None) -> _Read:
    number = _round(folder, wanted)
    before = _exam(folder, 1, "before")
    after = _exam(folder, number, "after")
    gate = read_json(folder / "rounds" / str(number) / "gate.json", _Gated, [])
    result = RunResult(
        run=folder.resolve().name,
        folder=folder,
        flow=str(flow.get("flow", "")),
        arm=str((flow.get("with") or {}).get("arm", "")) or "fixed",
        seed=int(flow.get("seed", 0)),
        round=number,
        change=change(before, after, metric),
        train_tokens=_tokens(folder, number),
        promoted=gate.decision == "promote" if gate else None,
    )
    verifier = str((flow.get("evaluate") or {}).get("verifier", "answer"))
    settings = _settings(flow)
    return _Read(result, after, content_id(_seedless(settings)), content_id(settings), verifier)


def _round(folder: Path, wanted: int | None) -> int:
    exams = (folder / "rounds").glob("*/eval/after.jsonl")
    numbers = sorted(int(path.parts[-3]) for path in exams if path.parts[-3].isdecimal())
    if not numbers or (wanted is not None and wanted not in numbers):
        found = f"it has those of {', '.join(map(str, numbers))}" if numbers else "it has none yet"
        which = f"round {wanted}" if wanted is not None else "any round"
        raise RunError(
            f"the run {folder} has no exam after {which}; {found}",
            "let it run on to its gate (synth status says how far it is), or name another --round",
        )
    return wanted if wanted is not None else numbers[-1]


def _exam(folder: Path, number: int, name: str) -> list[Judged]:
    path, warnings = folder / "rounds" / str(number) / "eval" / f"{name}.jsonl", list[str]()
    records = list(read_lines(path, Judged, warnings))
    if warnings or not records:
        why = warnings[0] if warnings else f"{path} is missing or empty"
        raise RunError(f"reading the exams of {folder}: {why}", "the same `synth run` command writes it anew")
    return records


def _tokens(folder: Path, last: int) -> int | None:
    """Tokens trained on, of all rounds; None where nothing says so."""
    reports = [
        read_json(folder / "rounds" / str(number) / "train" / "result.json", _Trained, [])
        for number in range(1, last + 1)
    ]
    return sum(report.tokens for report in reports if report) if any(reports) else None


def _settings(flow: Mapping[str, Any]) -> Any:
    """A flow file without what makes no difference to the student."""
    kept = {key: value for key, value in flow.items() if key not in CHANCE}
    return kept | {"budget": (flow.get("budget") or {}).get("train_tokens")}


def _seedless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _seedless(inner) for key, inner in value.items() if key != "seed"}
    return [_seedless(inner) for inner in value] if isinstance(value, list) else value


def _same_exam(first: _Read, other: _Read) -> None:
    """Raise `RunError` where two runs cannot be compared, item by item."""
    one, two = ({record.id for record in read.after} for read in (first, other))
    names = f"{first.result.folder} and {other.result.folder}"
    if one != two:
        raise RunError(
            f"{names} were examined on other items: {len(one - two)} of {len(one)} are only in the first, "
            f"{len(two - one)} of {len(two)} only in the second",
            "compare runs with the same data.test (source, families, size, seed)",
        )
    if first.verifier != other.verifier:
        raise RunError(
            f"{names} were judged by other verifiers: {first.verifier!r} and {other.verifier!r}",
            "compare runs with the same evaluate.verifier",
        )


def _arms(groups: Sequence[Sequence[_Read]], metric: Metric) -> list[Arm]:
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


def _arm(group: Sequence[_Read], title: str, difference: Difference | None) -> Arm:
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


def _against(first: Sequence[_Read], group: Sequence[_Read], metric: Metric) -> Difference:
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
    one, two = ([_values(read.after, order, metric) for read in reads] for reads in (first, group))
    interval, p = two_level_bootstrap(one, two)
    difference = _mean([_mean(row) for row in two]) - _mean([_mean(row) for row in one])
    test = f"bootstrap of {len(one)} and {len(two)} seeds, then items"
    return Difference(difference=difference, interval=interval, p_value=p, p_holm=p, test=test)


def _values(records: Sequence[Judged], order: Sequence[str], metric: Metric) -> list[float]:
    field = {"accuracy": "correct", "strict_accuracy": "strict", "score": "score"}[metric]
    by_id = {record.id: float(getattr(record, field)) for record in records}
    return [by_id[name] for name in order]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _twins(reads: Sequence[_Read]) -> list[str]:
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
