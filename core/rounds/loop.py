"""The loop: measure, generate, curate, train, serve, measure again, and let the gate decide.

Every step looks first whether it was done before, so a run can be stopped anywhere and the
same command goes on. This module and the command line sit on top: they alone import flows,
teachers and students.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from pathlib import Path

from synth import __version__
from synth.config import FlowFile, Loaded, Lora
from synth.engine.flow import NO_TRAINING, Flow, FlowParams
from synth.engine.folder import RunFolder
from synth.engine.replay import attach
from synth.engine.session import Session
from synth.engine.tuning import many_connections, quiet_gc
from synth.errors import RunError, SynthError
from synth.flows import load_flow_module
from synth.journal import Journal
from synth.measure.gate import Decision
from synth.measure.guards import check_sizes
from synth.progress import Progress
from synth.report import write_report
from synth.rounds.exam import exam, guard_exams
from synth.rounds.lesson import Champion, Champions, learn
from synth.rounds.material import make_data
from synth.rounds.mix import mix
from synth.rounds.outcome import Seen, decision_of, pace, untrained_decision, write_plan
from synth.rounds.prepare import prepare_folders
from synth.runs.recording import Recording
from synth.scale import Head, Scale, take_over
from synth.students.card import add_evaluation
from synth.teachers.replay import ReplayTeam
from synth.teachers.team import Team

__all__ = ["run"]


async def run(
    loaded: Loaded,
    folder: RunFolder,
    progress: Progress,
    *,
    fresh: bool = False,
    replay: Path | None = None,
    scale: Scale | None = None,
) -> list[Decision]:
    """Run all rounds of a flow file, or go on where they stopped. Returns the gates' decisions.

    `replay` is the folder of a run whose journal answers in the place of all models. A run
    begun so goes on without it, too: with models, for what that journal does not have.
    With `scale`, workers generate. Raises `SynthError` where it cannot go on; whatever was finished is kept.
    """
    folder.open(fresh)
    try:
        folder.settle(loaded.resolved(), loaded.completed)
        journal = Journal(folder.journal)
        try:
            return await _noted(loaded, folder, journal, progress, replay, scale, fresh)
        finally:
            journal.close()
    finally:
        folder.close()


async def _noted(
    loaded: Loaded,
    folder: RunFolder,
    journal: Journal,
    progress: Progress,
    replay: Path | None,
    scale: Scale | None,
    fresh: bool,
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
        # First of all: a faulty row is found before a model is fetched or started.
        check_sizes(session.flow, session.read_data())
        recording = attach(journal, folder, replay)
        team = await _team(loaded, folder, journal, progress, recording if replay else None)
        head = Head(scale, loaded, session, fresh) if scale else None
        if head is None:
            await take_over(journal)
        decisions = await _with_team(session, team, recording, head)
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
    return Team(
        models,
        journal,
        folder.path,
        learners=_learners(loaded.flow),
        folders=folders,
        say=progress.log,
    )


def _learners(flow: FlowFile) -> dict[str, Lora | None]:
    """The roles that learn, the student first, and how each is adapted."""
    if flow.generate_only:
        return {}
    return {"student": flow.train.lora, **{role: train.lora for role, train in flow.learners.items()}}


async def _with_team(
    session: Session, team: Team, recording: Recording | None, head: Head | None
) -> list[Decision]:
    """All rounds, with the models up; they are stopped and the recording closed whatever comes."""
    try:
        many_connections()
        await team.start()
        session.models = team.models
        quiet_gc()
        flow = load_flow_module(session.flow.flow)
        if head is not None:
            await head.open()
            flow = head.leading(flow)
        return await _rounds(session, flow, team, recording)
    finally:
        if head is not None:
            await head.aclose()
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
    champions = {
        role: Champion(0, team.models[role].weights, team.models[role].served, None)
        for role in _learners(session.flow)
    }
    decisions: list[Decision] = []
    for number in range(1, session.flow.rounds + 1):
        session.round = number
        session.pace, session.mixed = pace(session.flow.gate, decisions), {}
        if session.flow.generate_only:
            await _data_alone(session, flow, team)
            continue
        decision, challengers = await _round(session, flow, team, champions, recording)
        decisions.append(decision)
        if decision.decision == "promote":
            champions |= challengers
            continue
        for role in challengers:
            back = champions[role]
            await team.swap_back(role, back.folder, back.weights, back.served)
        if session.flow.gate.on_reject == "stop":
            break
    return decisions


async def _data_alone(session: Session, flow: Flow, team: Team) -> None:
    """A round that ends with its data."""
    await mix(session)
    await make_data(session, flow, team)
    write_report(session.folder.path)


async def _round(
    session: Session, flow: Flow, team: Team, champions: Champions, recording: Recording | None
) -> tuple[Decision, Champions]:
    """One round; returns the gate's decision, and who would answer for the roles that learned."""
    session.train = flow.training(session) if flow.training else session.flow.train
    write_plan(session, champions)
    before = await exam(session, "before")
    if session.params.arm == NO_TRAINING:
        anew = await exam(session, "after", sample=1)
        return _noted_gate(session, untrained_decision(session, before, anew)), {}
    again = await exam(session, "again", sample=1) if session.flow.gate.noise else None
    guards = await guard_exams(session, "before")
    await mix(session)
    curated = await make_data(session, flow, team)
    challengers = {
        role: await learn(session, team, role, champion, recording)
        for role, champion in champions.items()
        if curated.of(role)
    }
    await team.check()
    session.begin("serve")
    for role, new in challengers.items():
        assert new.folder is not None
        await team.swap_in(role, new.folder, new.weights, new.served)
    session.finish("serve", {"items": len(challengers), "served": challengers["student"].served})
    after, guards_after = await exam(session, "after"), await guard_exams(session, "after")
    decision = decision_of(session, Seen(before, after, guards, guards_after, again))
    for new in challengers.values():
        assert new.folder is not None
        add_evaluation(new.folder, decision.model_dump(mode="json"))
    return _noted_gate(session, decision), challengers


def _noted_gate(session: Session, decision: Decision) -> Decision:
    """The decision, written down and told."""
    session.begin("gate")
    RunFolder.write_json(session.folder.round(session.round) / "gate.json", decision)
    session.finish("gate", {"decision": decision.decision, "p_value": decision.p_value})
    session.progress.log(decision.reason)
    write_report(session.folder.path)
    return decision
