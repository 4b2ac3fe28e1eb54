"""The loop: measure, generate, curate, train, serve, measure again, and let the gate decide.

Every step looks first whether it was done before, so a run can be stopped anywhere and the
same command goes on. This module and the command line sit on top: they alone import flows,
teachers and students.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synth import __version__
from synth.config import Loaded
from synth.curation import Curated, curate, token_counter, write_dataset
from synth.data import normalise
from synth.engine.flow import Flow, FlowParams
from synth.engine.folder import RunFolder
from synth.engine.replay import attach, take_over, untrained
from synth.engine.session import Session
from synth.engine.tuning import many_connections, quiet_gc
from synth.errors import RunError, SynthError, TrainError
from synth.flows import load_flow_module
from synth.flows.answering import exam_graph, question_seeds
from synth.gate import Decision, decide
from synth.journal import Journal
from synth.prepare import prepare_folders
from synth.progress import Progress
from synth.recording import Recording
from synth.records import Judged
from synth.report import write_report
from synth.students.card import add_evaluation
from synth.students.job import TrainJob, TrainResult
from synth.students.launch import train
from synth.teachers.replay import ReplayTeam
from synth.teachers.team import Team

__all__ = ["Champion", "run"]


@dataclass(frozen=True)
class Champion:
    """The student that answers now: the base model, or the one a round promoted."""

    round: int
    weights: str
    served: str
    folder: Path | None

    @property
    def title(self) -> str:
        """In words."""
        return "the base model" if self.round == 0 else f"the student of round {self.round}"


async def run(
    loaded: Loaded,
    folder: RunFolder,
    progress: Progress,
    *,
    fresh: bool = False,
    replay: Path | None = None,
) -> list[Decision]:
    """Run all rounds of a flow file, or go on where they stopped. Returns the gates' decisions.

    `replay` is the folder of a run whose journal answers in the place of all models. A run
    begun so goes on without it, too: with models, for what that journal does not have.
    Raises `SynthError` where it cannot go on; whatever was finished is kept.
    """
    folder.open(fresh)
    try:
        folder.settle(loaded.resolved())
        journal = Journal(folder.journal)
        try:
            return await _noted(loaded, folder, journal, progress, replay)
        finally:
            journal.close()
    finally:
        folder.close()


async def _noted(
    loaded: Loaded, folder: RunFolder, journal: Journal, progress: Progress, replay: Path | None
) -> list[Decision]:
    """The run, with its start and its end noted in the journal."""
    assert isinstance(loaded.params, FlowParams)
    _note_start(journal, folder)
    session = Session(
        flow=loaded.flow,
        params=loaded.params,
        folder=folder,
        journal=journal,
        models={},
        progress=progress,
        path=loaded.path,
    )
    try:
        session.read_data()  # first of all: a faulty row is found before a model is fetched or started
        recording = attach(journal, folder, replay)
        team = await _team(loaded, folder, journal, progress, recording if replay else None)
        decisions = await _with_team(session, team, recording)
    except (SynthError, asyncio.CancelledError) as error:
        # On a full disk this cannot be written either, and the first error is the one to see.
        with contextlib.suppress(RunError, OSError):
            journal.set_meta("state", "stopped")
            folder.event("stopped", error=error.what if isinstance(error, SynthError) else "interrupted")
            await journal.flush()
        raise
    journal.set_meta("state", "finished")
    folder.event("finished")
    await journal.flush()
    write_report(folder.path)
    return decisions


async def _team(
    loaded: Loaded, folder: RunFolder, journal: Journal, progress: Progress, recording: Recording | None
) -> Team:
    """Who plays the roles: models, whose weights are fetched now, or a recording."""
    models = loaded.flow.models
    if recording is not None:
        return ReplayTeam(models, journal, recording)
    folders = await prepare_folders(loaded.flow, loaded.path, progress)
    lora = loaded.flow.train.lora
    return Team(
        models,
        journal,
        folder.path,
        lora=lora is not None,
        rank=lora.r if lora else 16,
        folders=folders,
        say=progress.log,
    )


async def _with_team(session: Session, team: Team, recording: Recording | None) -> list[Decision]:
    """All rounds, with the models up; they are stopped and the recording closed whatever comes."""
    try:
        many_connections()
        await team.start()
        session.models = team.models
        quiet_gc()
        return await _rounds(session, load_flow_module(session.flow.flow), team, recording)
    finally:
        await team.aclose()
        if recording is not None:
            recording.close()


def _note_start(journal: Journal, folder: RunFolder) -> None:
    if journal.meta("created") is None:
        journal.set_meta("created", str(time.time()))
    journal.set_meta("version", __version__)
    journal.set_meta("name", folder.path.name)
    journal.set_meta("pid", str(os.getpid()))
    journal.set_meta("state", "running")
    folder.event("started", pid=os.getpid(), version=__version__)


async def _rounds(session: Session, flow: Flow, team: Team, recording: Recording | None) -> list[Decision]:
    champion = Champion(0, team.models["student"].weights, team.models["student"].served, None)
    decisions = []
    for number in range(1, session.flow.rounds + 1):
        session.round = number
        decision, challenger = await _round(session, flow, team, champion, recording)
        decisions.append(decision)
        if decision.decision == "promote":
            champion = challenger
        else:
            await team.swap_back("student", champion.folder, champion.weights, champion.served)
            if session.flow.gate.on_reject == "stop":
                break
    return decisions


async def _round(
    session: Session, flow: Flow, team: Team, champion: Champion, recording: Recording | None
) -> tuple[Decision, Champion]:
    folder = session.folder.round(session.round)
    _write_plan(session, folder, champion)
    before = await _exam(session, "before")
    curated = await _make_data(session, flow, team)
    result = _trained(session, team, champion, recording) or await _train(
        session, team, champion, len(curated.samples)
    )
    challenger = Champion(session.round, result.weights, f"student-{session.round}", result.output)
    await team.check()
    session.begin("serve")
    await team.swap_in("student", result.output, result.weights, challenger.served)
    session.finish("serve", {"items": 1, "served": challenger.served})
    after = await _exam(session, "after")
    session.begin("gate")
    decision = decide(before, after, session.flow.gate, session.flow.seed)
    RunFolder.write_json(folder / "gate.json", decision)
    add_evaluation(result.output, decision.model_dump(mode="json"))
    session.finish("gate", {"decision": decision.decision, "p_value": decision.p_value})
    session.progress.log(decision.reason)
    write_report(session.folder.path)
    return decision, challenger


def _write_plan(session: Session, folder: Path, champion: Champion) -> None:
    flow = session.flow
    plan = {
        "round": session.round,
        "arm": session.params.arm,
        "start": champion.title,
        "weights": champion.weights,
        "data": {name: len(session.questions(name)) for name in flow.data},
        "test_items": len(session.questions("test")),
        "budget": flow.budget.model_dump(),
        "train": flow.train.model_dump(),
    }
    RunFolder.write_json(folder / "plan.json", plan)


async def _exam(session: Session, name: str) -> list[Judged]:
    """The student that answers now, on all held-out items, greedily."""
    questions = session.questions("test")
    results = await session.stage(
        f"exam-{name}", exam_graph(session.flow.evaluate), question_seeds(questions), total=len(questions)
    )
    judged = [Judged.model_validate(result.output) for result in results if result.output]
    if len(judged) < len(questions):
        missing = len(questions) - len(judged)
        session.journal.set_stage(session.round, f"exam-{name}", "failed", {})
        raise SynthError(
            f"{missing} of {len(questions)} held-out questions got no answer in exam-{name}",
            f"see rejected.jsonl and {session.folder.path}/server-*.log; the same command tries again",
        )
    RunFolder.write_lines(session.folder.round(session.round) / "eval" / f"{name}.jsonl", judged)
    return judged


async def _make_data(session: Session, flow: Flow, team: Team) -> Curated:
    """Generate, curate and write this round's training set."""
    folder = session.folder.round(session.round) / "data"
    samples = await flow.generate(session)
    held_out = {normalise(q.question) for name in ("test", "profile") for q in _held(session, name)}
    budget = session.flow.budget
    session.begin("curate")
    with session.progress.stage(session.round, "curate", None) as bar:
        curated = curate(
            samples,
            held_out=held_out,
            count_tokens=token_counter(_tokenizer(session, team)),
            token_budget=budget.train_tokens,
            limit=session.params.examples,
            seed=session.flow.seed,
        )
        bar.advance(len(curated.samples))
        for rejection in curated.rejections:
            bar.advance(0, dropped_reason=rejection.reason)
    if not curated.samples:
        raise SynthError(
            f"round {session.round} has no training example left after curation",
            f"see why in {folder / 'rejected.jsonl'}",
        )
    models = {role: f"{model.model}@{model.weights}" for role, model in session.models.items()}
    facts: dict[str, Any] = {
        "name": session.folder.path.name,
        "round": session.round,
        "flow": session.flow.flow,
        "arm": session.params.arm,
        "version": __version__,
        "models": models,
        "citation": flow.citation,
    }
    write_dataset(folder, curated, session.rejections(), facts)
    reasons: dict[str, int] = {}
    for rejection in curated.rejections:
        reasons[rejection.reason] = reasons.get(rejection.reason, 0) + 1
    info = {"items": len(curated.samples) + len(curated.rejections), "kept": len(curated.samples)}
    session.finish(
        "curate", {**info, "rejected": len(curated.rejections), "reasons": reasons, "tokens": curated.tokens}
    )
    return curated


def _tokenizer(session: Session, team: Team) -> Path:
    """Folder with the student's tokenizer: the run's own, so that it can be replayed without weights."""
    kept = session.folder.path / "tokenizer.json"
    if not kept.exists():
        RunFolder.write(kept, (team.folder("student") / kept.name).read_bytes())
    return kept.parent


def _held(session: Session, name: str) -> Sequence[Any]:
    return session.questions(name) if name in session.flow.data else ()


def _trained(
    session: Session, team: Team, champion: Champion, recording: Recording | None
) -> TrainResult | None:
    """The recorded training where the recorded run did the same, or None where there are models
    to do it with. Raises `RunError` where there are none."""
    if recording is None:
        return None
    folder, recorded = session.folder.round(session.round), recording.round(session.round)
    settings = session.flow.train.model_dump(mode="json")
    why = untrained(recorded, folder / "data" / "train.jsonl", settings, champion.weights)
    if why and team.live:
        return None
    if why:
        raise RunError(
            f"the training of round {session.round} cannot be replayed: {why}; "
            f"the data for it are written, in {folder / 'data'}",
            recording.cure,
        )
    result = TrainResult.model_validate_json(take_over(recorded, folder).read_bytes())
    result = result.model_copy(update={"output": folder / "student"})
    session.begin("train")
    session.finish("train", {**result.model_dump(mode="json"), "replayed": str(recorded)})
    return result


async def _train(session: Session, team: Team, champion: Champion, examples: int) -> TrainResult:
    """Train the challenger in a process of its own, from the champion's weights."""
    folder = session.folder.round(session.round)
    job = TrainJob(
        model=team.folder("student"),
        data=folder / "data" / "train.parquet",
        output=folder / "student",
        work=folder / "train",
        adapter=champion.folder if session.flow.train.lora else None,
        train=session.flow.train,
    )
    session.check_budget()
    session.begin("train")
    with session.progress.stage(session.round, "train", None) as bar:
        try:
            result = await train(job, lambda line: bar.loss(line))
        except TrainError:
            session.journal.set_stage(session.round, "train", "failed", {})
            raise
    session.finish("train", json.loads(result.model_dump_json()))
    return result
