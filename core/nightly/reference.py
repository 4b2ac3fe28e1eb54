"""The best any champion did on each guard suite: what a new one is held against, beside the last one.

A gate that lets a student fall by less than a margin lets ten of them fall by ten margins. Held
against the best answers so far, all of them together may fall by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from synth.config import FlowFile
from synth.engine.folder import RunFolder
from synth.figures import level
from synth.measure.change import standing
from synth.measure.guards import guard_change, spent
from synth.records import Judged
from synth.runs.runfiles import read_lines

__all__ = ["below_the_best", "remember"]


def below_the_best(home: Path, flow: FlowFile, run: Path, number: int) -> str:
    """Why the student of a round falls behind the best champion on a guard suite; empty if it does not."""
    gate, _ = spent(flow.gate, flow.rounds)
    for name in gate.guards:
        after = _answers(run, number, name, "after")
        best = _best(home, flow, run, name)
        if {record.id for record in best} != {record.id for record in after}:
            continue
        moved = guard_change(name, best, after, gate, flow.seed)
        if not moved.holds:
            return (
                f"on the guard {name} the best champion had {level(moved.before, moved.metric)}, this one "
                f"has {level(moved.after, moved.metric)}, and a fall by {moved.margin:g} is not ruled out"
            )
    return ""


def remember(home: Path, flow: FlowFile, run: Path, number: int) -> None:
    """Keep the new champion's answers where they are the best so far, or of another suite."""
    metric = flow.gate.metric
    for name in flow.gate.guards:
        after = _answers(run, number, name, "after")
        best = _best(home, flow, run, name)
        other = {record.id for record in best} != {record.id for record in after}
        better = other or standing(after, metric)[0] >= standing(best, metric)[0]
        RunFolder.write_lines(_file(home, flow, name), after if better else best)


def _best(home: Path, flow: FlowFile, run: Path, guard: str) -> Sequence[Judged]:
    """The best answers so far; before there are any those of the student the run began with."""
    kept = list(read_lines(_file(home, flow, guard), Judged, []))
    return kept or _answers(run, 1, guard, "before")


def _answers(run: Path, number: int, guard: str, when: str) -> list[Judged]:
    path = run / "rounds" / str(number) / "eval" / f"guard-{guard}-{when}.jsonl"
    return list(read_lines(path, Judged, []))


def _file(home: Path, flow: FlowFile, guard: str) -> Path:
    return home / "champion" / "guards" / str(flow.name) / f"{guard}.jsonl"
