"""A run: its folder and journal opened, its models up, its rounds played, all of it closed again.

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
from synth.config import Loaded
from synth.engine.flow import FlowParams
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
from synth.rounds.prepare import make_team
from synth.rounds.turn import play_rounds
from synth.runs.recording import Recording
from synth.scale import Head, Scale, take_over
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
        check_sizes(session.flow, session.sources.sizes())
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
    return await make_team(loaded, journal, folder.path, progress)


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
        return await play_rounds(session, flow, team, recording)
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
