"""The material of a round: what the flow made, curated and written as the learners' training sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from synth import __version__
from synth.curation import Curated, curate, token_counter, write_dataset
from synth.data import normalise
from synth.engine.flow import Flow
from synth.engine.folder import RunFolder
from synth.engine.session import Session
from synth.errors import CollapseError, SynthError
from synth.measure.collapse import Collapse, measure
from synth.records import Sample
from synth.runs.runfiles import read_json
from synth.teachers.team import Team

__all__ = ["make_data"]

COLLAPSE = "collapse.json"


async def make_data(session: Session, flow: Flow, team: Team) -> Curated:
    """Generate, curate and write this round's training sets.

    Raises `SynthError` where nothing is left for the student, and `CollapseError` where what is left
    is more uniform than the flow file's rules allow.
    """
    folder = session.folder.round(session.round) / "data"
    tokenizer = _tokenizer(session, team)  # before the flow: it may measure prompts with it
    samples = await flow.generate(session)
    held_out = {normalise(q.question) for name in session.flow.held_out for q in session.questions(name)}
    session.begin("curate")
    with session.progress.stage(session.round, "curate", None) as bar:
        curated = curate(
            samples,
            held_out=held_out,
            count_tokens=token_counter(tokenizer),
            token_budget=session.flow.budget.train_tokens,
            limit=session.params.examples,
            seed=session.flow.seed,
            lint_drop=session.params.lint_drop,
            delimiters=flow.delimiters,
        )
        bar.advance(len(curated.samples))
        for rejection in curated.rejections:
            bar.advance(0, dropped_reason=rejection.reason)
    if not curated.of("student"):
        raise SynthError(
            f"round {session.round} has no training example left after curation",
            f"see why in {folder / 'rejected.jsonl'}",
        )
    write_dataset(folder, curated, session.rejections(), _facts(session, flow))
    session.finish("curate", _counts(curated))
    _watch(session, curated.of("student"), tokenizer)
    return curated


def _watch(session: Session, samples: Sequence[Sample], tokenizer: Path) -> None:
    """Write `collapse.json`, and hold it against the rules."""
    session.begin("collapse")
    rounds = session.folder.path / "rounds"
    found = measure(
        samples,
        earlier=[rounds / str(n) / "data" / "samples.jsonl" for n in range(1, session.round)],
        first=read_json(rounds / "1" / COLLAPSE, Collapse, []) if session.round > 1 else None,
        tokenizer=tokenizer / "tokenizer.json",
    )
    folder = session.folder.round(session.round)
    RunFolder.write_json(folder / COLLAPSE, found)
    session.finish("collapse", {"items": len(samples)})
    if reasons := list(found.broken(session.flow.collapse)):
        raise CollapseError(
            f"the data of round {session.round} are collapsing: {'; '.join(reasons)}",
            f"nothing was trained on them; see {folder / COLLAPSE} and {folder / 'data'}, vary the seeds or "
            "the sampling, or widen the rule under collapse",
        )


def _facts(session: Session, flow: Flow) -> dict[str, Any]:
    """What the data card says of how the data were made."""
    return {
        "name": session.folder.path.name,
        "round": session.round,
        "flow": session.flow.flow,
        "arm": session.params.arm,
        "version": __version__,
        "models": {role: f"{model.model}@{model.weights}" for role, model in session.models.items()},
        "citation": flow.citation,
    }


def _counts(curated: Curated) -> dict[str, Any]:
    """What the journal notes of curation."""
    info: dict[str, Any] = {
        "items": len(curated.samples) + len(curated.rejections),
        "kept": len(curated.samples),
        "rejected": len(curated.rejections),
        "reasons": dict(Counter(rejection.reason for rejection in curated.rejections)),
        "tokens": curated.tokens,
    }
    lint = curated.lint.figures()
    return info | ({"lint": lint} if lint else {})


def _tokenizer(session: Session, team: Team) -> Path:
    """Folder with the student's tokenizer: the run's own, so that it can be replayed without weights."""
    kept = session.folder.path / "tokenizer.json"
    if not kept.exists():
        RunFolder.write(kept, (team.folder("student") / kept.name).read_bytes())
    return kept.parent
