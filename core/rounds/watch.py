"""The collapse watch of a round: its data's variety written down, and held against the rules."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from synth.engine.folder import RunFolder
from synth.engine.session import Session
from synth.errors import CollapseError
from synth.measure.change import standing
from synth.measure.collapse import Collapse, compared, measure
from synth.records import Judged, Sample, content_id
from synth.rounds.meaning import embedded
from synth.runs.runfiles import read_json, read_lines

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["watch"]

COLLAPSE = "collapse.json"


async def watch(session: Session, samples: Sequence[Sample], tokenizer: Path) -> None:
    """Write `collapse.json` of the student's samples. Raises `CollapseError` where a rule is broken."""
    meanings = await _meanings(session, samples)
    session.begin("collapse")
    rounds, folder = session.folder.path / "rounds", session.folder.round(session.round)
    found = measure(
        samples,
        earlier=[rounds / str(n) / "data" / "samples.jsonl" for n in range(1, session.round)],
        first=read_json(rounds / "1" / COLLAPSE, Collapse, []) if session.round > 1 else None,
        tokenizer=tokenizer / "tokenizer.json",
        exam=_exam(session, folder),
        meanings=meanings,
    )
    RunFolder.write_json(folder / COLLAPSE, found)
    session.finish("collapse", {"items": len(samples)})
    if reasons := list(found.broken(session.flow.collapse)):
        raise CollapseError(
            f"the data of round {session.round} are collapsing: {'; '.join(reasons)}",
            f"nothing was trained on them; see {folder / COLLAPSE} and {folder / 'data'}, vary the seeds or "
            "the sampling, or widen the rule under collapse",
        )


async def _meanings(session: Session, samples: Sequence[Sample]) -> NDArray[np.float32] | None:
    """Vectors of the examples that are compared, where the flow file says who embeds; those whose vector is
    lost are left out. None where nobody embeds."""
    import numpy as np

    embedder = session.flow.collapse.embedding
    if embedder is None:
        return None
    names = {content_id(text): text for text in compared(samples)}
    vectors = await embedded(session, "embed-examples", embedder, names)
    found = [vectors[name] for text in compared(samples) if (name := content_id(text)) in vectors]
    return np.stack(found) if found else None


def _exam(session: Session, folder: Path) -> float | None:
    """Where the student that made these data stands, under the gate's metric; None without an exam."""
    records = list(read_lines(folder / "eval" / "before.jsonl", Judged, []))
    return standing(records, session.flow.gate.metric)[0] if records else None
