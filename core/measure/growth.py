"""What a run's rounds, or runs of several sizes, tell about more data: the points of a forecast."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from synth.errors import SynthError
from synth.measure.change import Metric, values
from synth.measure.examined import metric_of, trained_tokens
from synth.measure.forecast import Forecast, Size, forecast
from synth.records import Judged
from synth.runs.runfiles import Part, read_json, read_lines, read_yaml

__all__ = ["foreseen", "growth", "results", "sizes_of"]


class _Gated(Part):
    decision: str


def growth(folder: Path) -> Forecast | None:
    """A forecast from the rounds of one run; None where they are too few or too alike in size."""
    flow = read_yaml(folder / "flow.yaml", [])
    return foreseen(sizes_of(folder, metric_of(flow)), metric_of(flow))


def foreseen(sizes: Sequence[Size], metric: Metric) -> Forecast | None:
    """A forecast, where there are the sizes for one."""
    try:
        return forecast(sizes, metric)
    except SynthError:
        return None


def sizes_of(folder: Path, metric: Metric) -> list[Size]:
    """A size for every round that trained and was examined: its own tokens, and those behind the
    champion that it began with."""
    found, behind = [], 0
    for number in _rounds(folder):
        own = trained_tokens(folder, number)
        records = list(read_lines(folder / "rounds" / str(number) / "eval" / "after.jsonl", Judged, []))
        gate = read_json(folder / "rounds" / str(number) / "gate.json", _Gated, [])
        if own is None or gate is None or not records:
            continue
        found.append(Size(behind + own, results(records, metric)))
        behind += own if gate.decision == "promote" else 0
    return found


def results(records: Iterable[Judged], metric: Metric) -> list[float]:
    """What each item counts, in the order of the items' ids."""
    return values(sorted(records, key=lambda record: record.id), metric)


def _rounds(folder: Path) -> list[int]:
    names = (path.parent.name for path in (folder / "rounds").glob("*/gate.json"))
    return sorted(int(name) for name in names if name.isdecimal())
