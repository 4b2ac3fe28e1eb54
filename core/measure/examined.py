"""One run as it is compared with others: its settings, its exams, its training tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from synth.errors import RunError
from synth.measure.change import Change, Metric, change
from synth.records import Judged, content_id
from synth.runs.runfiles import Part, read_json, read_lines, read_yaml

__all__ = [
    "Examined",
    "RunResult",
    "metric_of",
    "read_flow",
    "read_run",
    "same_exam",
    "trained_tokens",
]

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


@dataclass(frozen=True)
class Examined:
    """One run as read: its result, its last exam, and what makes it the arm it is."""

    result: RunResult
    after: list[Judged]
    key: str
    """Hash of the settings without seeds: the arm."""
    twin: str
    """Hash of the settings with seeds."""
    sizeless: str
    """Hash of the settings without seeds and without how much is trained on."""
    verifier: str


class _Trained(Part):
    tokens: int = 0


class _Gated(Part):
    decision: str


def read_flow(folder: Path) -> dict[str, Any]:
    """A run's resolved flow file. Raises `RunError` where there is none."""
    warnings: list[str] = []
    flow = read_yaml(folder / "flow.yaml", warnings)
    if not flow:
        why = warnings[0] if warnings else "there is no flow.yaml"
        raise RunError(f"reading the run in {folder}: {why}", "name folders that `synth run` made: runs/NAME")
    return flow


def metric_of(flow: Mapping[str, Any]) -> Metric:
    """What a flow file's gate looks at."""
    named = (flow.get("gate") or {}).get("metric", "accuracy")
    return named if named in get_args(Metric) else "accuracy"


def read_run(folder: Path, flow: Mapping[str, Any], metric: Metric, wanted: int | None) -> Examined:
    """A run as far as round `wanted`, or its last. Raises `RunError` where it has no exams."""
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
    arm = _seedless(settings)
    return Examined(
        result, after, content_id(arm), content_id(settings), content_id(_sizeless(arm)), verifier
    )


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
    rounds = [trained_tokens(folder, number) for number in range(1, last + 1)]
    known = [tokens for tokens in rounds if tokens is not None]
    return sum(known) if known else None


def trained_tokens(folder: Path, number: int) -> int | None:
    """Tokens the student of a round was trained on; None where nothing says so."""
    report = read_json(folder / "rounds" / str(number) / "train" / "result.json", _Trained, [])
    return report.tokens if report else None


def _settings(flow: Mapping[str, Any]) -> Any:
    """A flow file without what makes no difference to the student."""
    kept = {key: value for key, value in flow.items() if key not in CHANCE}
    return kept | {"budget": (flow.get("budget") or {}).get("train_tokens")}


def _seedless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _seedless(inner) for key, inner in value.items() if key != "seed"}
    return [_seedless(inner) for inner in value] if isinstance(value, list) else value


def _sizeless(settings: Any) -> Any:
    """An arm's settings without how much is trained on."""
    examples = {key: value for key, value in (settings.get("with") or {}).items() if key != "examples"}
    return {key: value for key, value in settings.items() if key != "budget"} | {"with": examples}


def same_exam(first: Examined, other: Examined) -> None:
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
