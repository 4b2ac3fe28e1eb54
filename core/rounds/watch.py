"""The collapse watch of a round: its data's variety written down, and held against the rules."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from synth.engine.folder import RunFolder
from synth.engine.session import Session
from synth.errors import CollapseError
from synth.measure.change import standing
from synth.measure.collapse import Collapse, measure
from synth.records import Judged, Sample
from synth.runs.runfiles import read_json, read_lines

__all__ = ["watch"]

COLLAPSE = "collapse.json"


def watch(session: Session, samples: Sequence[Sample], tokenizer: Path) -> None:
    """Write `collapse.json` of the student's samples. Raises `CollapseError` where a rule is broken."""
    session.begin("collapse")
    rounds, folder = session.folder.path / "rounds", session.folder.round(session.round)
    found = measure(
        samples,
        earlier=[rounds / str(n) / "data" / "samples.jsonl" for n in range(1, session.round)],
        first=read_json(rounds / "1" / COLLAPSE, Collapse, []) if session.round > 1 else None,
        tokenizer=tokenizer / "tokenizer.json",
        exam=_exam(session, folder),
    )
    RunFolder.write_json(folder / COLLAPSE, found)
    session.finish("collapse", {"items": len(samples)})
    if reasons := list(found.broken(session.flow.collapse)):
        raise CollapseError(
            f"the data of round {session.round} are collapsing: {'; '.join(reasons)}",
            f"nothing was trained on them; see {folder / COLLAPSE} and {folder / 'data'}, vary the seeds or "
            "the sampling, or widen the rule under collapse",
        )


def _exam(session: Session, folder: Path) -> float | None:
    """Where the student that made these data stands, under the gate's metric; None without an exam."""
    records = list(read_lines(folder / "eval" / "before.jsonl", Judged, []))
    return standing(records, session.flow.gate.metric)[0] if records else None
