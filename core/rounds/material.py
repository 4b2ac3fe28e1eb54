"""The material of a round: what the flow made, curated and written as the learners' training sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from synth import __version__
from synth.curation import Curated, settle, sift, steps_of, token_counter, write_dataset
from synth.engine.flow import Flow
from synth.engine.folder import RunFolder
from synth.engine.session import Session
from synth.errors import SynthError
from synth.records import Sample
from synth.rounds.alignment import select_aligned
from synth.rounds.held_out import held_out_texts
from synth.rounds.learnable import check_samples, with_truths
from synth.rounds.lesson import training_of
from synth.rounds.meaning import drop_held_out_meaning, drop_same_meaning
from synth.rounds.quality import gold_of, judge_samples
from synth.rounds.tagging import follow_recipe
from synth.rounds.terms import with_terms
from synth.rounds.watch import watch
from synth.teachers.team import Team

__all__ = ["make_data"]


async def make_data(session: Session, flow: Flow, team: Team) -> Curated:
    """Generate, curate and write this round's training sets.

    Raises `SynthError` where nothing is left for the student, and `CollapseError` where what is left
    is more uniform than the flow file's rules allow.
    """
    folder = session.folder.round(session.round) / "data"
    tokenizer = _tokenizer(session, team)  # before the flow: it may measure prompts with it
    held_out = held_out_texts(session)
    if session.flow.curate.judge is not None:
        gold_of(session, session.flow.curate.judge)  # now: a faulty line is found before anything is paid
    samples = with_truths(session, await flow.generate(session), training_of)
    samples = with_terms(session.flow, samples)
    curated = await _curated(session, flow, samples, held_out, token_counter(tokenizer))
    if not curated.samples if session.flow.generate_only else not curated.of("student"):
        write_dataset(folder, curated, session.rejections(), _facts(session, flow))
        raise _nothing_left(session, curated, folder)
    for role in ("student", *session.flow.learners):
        if not session.flow.generate_only:
            check_samples(curated.of(role), role, training_of(session, role), session.flow.flow)
    write_dataset(folder, curated, session.rejections(), _facts(session, flow))
    session.finish("curate", _counts(curated))
    if tokenizer is not None:
        await watch(session, curated.of("student"), tokenizer)
    return curated


def _nothing_left(session: Session, curated: Curated, folder: Path) -> SynthError:
    """Why: the reasons, the commonest first, and what the first of these was about."""
    dropped = [*session.rejections(), *curated.rejections]
    reasons = Counter(rejection.reason for rejection in dropped).most_common()
    said = ", ".join(f"{reason} {number:,}" for reason, number in reasons) or "nothing was made"
    first = next((one for one in dropped if reasons and one.reason == reasons[0][0]), None)
    told = first and (first.detail or first.error or first.raw)
    example = f"; {first.node}: {told[:300]}" if first and told else ""
    return SynthError(
        f"round {session.round} has no training example left: {said}{example}",
        f"all are in {folder / 'rejected.jsonl'}, and to be looked at with synth view {session.folder.path}",
    )


async def _curated(
    session: Session,
    flow: Flow,
    samples: Iterable[Sample],
    held_out: Mapping[str, str],
    count_tokens: Callable[[Sample], int],
) -> Curated:
    """The samples through all steps; a judge sees only what the others let through."""
    rules, params, curated = session.flow.curate, session.params, Curated()
    session.begin("curate")
    steps = steps_of(rules, held_out, curated.lint, count_tokens, params.lint_drop, flow.delimiters)
    sift(curated, samples, steps)
    await _asked(session, held_out, curated)
    session.begin("curate")
    with session.progress.stage(session.round, "curate", None) as bar:
        budget = session.flow.budget.train_tokens
        settle(curated, rules, count_tokens, budget, params.examples, session.flow.seed)
        bar.advance(len(curated.samples))
        for rejection in curated.rejections:
            bar.advance(0, dropped_reason=rejection.reason)
    return curated


async def _asked(session: Session, held_out: Mapping[str, str], curated: Curated) -> None:
    """The steps that ask models, the cheapest first: each sees what those before it let through."""
    rules = session.flow.curate
    if rules.overlap is not None and rules.overlap.embedding is not None:
        await drop_held_out_meaning(session, rules.overlap.embedding, held_out, curated)
    if rules.near is not None and rules.near.embedding is not None:
        await drop_same_meaning(session, rules.near, rules.near.embedding, curated)
    if rules.judge is not None:
        await judge_samples(session, rules.judge, curated)
    if rules.recipe is not None:
        await follow_recipe(session, rules.recipe, curated)
    if rules.alignment is not None:
        await select_aligned(session, rules.alignment, curated)


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
        "steps": {name: tally.figures() for name, tally in curated.steps.items()},
    }
    info |= {"judge": curated.judge} if curated.judge else {}
    info |= {"alignment": curated.alignment} if curated.alignment else {}
    lint = curated.lint.figures()
    return info | ({"lint": lint} if lint else {})


def _tokenizer(session: Session, team: Team) -> Path | None:
    """Folder with the student's tokenizer: the run's own, so that it can be replayed without weights.

    None where nobody is trained and there is no student with weights.
    """
    kept = session.folder.path / "tokenizer.json"
    if not kept.exists():
        student = session.flow.models.get("student")
        if session.flow.generate_only and (student is None or student.kind != "local"):
            return None
        RunFolder.write(kept, (team.folder("student") / kept.name).read_bytes())
    return kept.parent
