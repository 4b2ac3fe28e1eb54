"""A worker: it keeps nothing of its own, finds all it needs in the store, and may be killed at any time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from synth import __version__
from synth.config import FlowFile
from synth.config.locate import make_importable
from synth.engine.flow import Flow, FlowParams
from synth.engine.folder import RunFolder
from synth.engine.tuning import many_connections, quiet_gc
from synth.errors import RunError, SynthError
from synth.flows import load_flow_module
from synth.journal import Journal
from synth.progress import make_progress
from synth.records import Question
from synth.scale.bulletin import Brief, Notice, Run, read, report
from synth.scale.desk import Desk
from synth.scale.lease import Owner
from synth.scale.seats import team_at
from synth.scale.session import Arrived, WorkerSession
from synth.scale.shards import StagePlace
from synth.scale.store import Store

__all__ = ["work"]

LOOK = 0.5
"""Seconds between two looks at what the head says."""
SILENCE = 600.0
"""Seconds after which a head that says nothing is taken for gone for good."""


async def work(url: str, name: str, say: Callable[[str], None] = lambda text: None) -> None:
    """Work for the run whose store is at `url` until its head sends the workers home.

    Raises `SynthError` where this worker cannot go on; others can, and its shards are theirs then.
    """
    store = Store(url)
    with tempfile.TemporaryDirectory(prefix="synth-worker-") as scratch:
        worker = _Worker(store, name, Path(scratch), say)
        try:
            await asyncio.to_thread(report, store, name, "works")
            await worker.serve()
            await asyncio.to_thread(report, store, name, "ended")
        except SynthError as error:
            with contextlib.suppress(SynthError):
                await asyncio.to_thread(report, store, name, "failed", error)
            raise


@dataclass
class _Worker:
    store: Store
    name: str
    scratch: Path
    say: Callable[[str], None]

    def __post_init__(self) -> None:
        self.session = uuid.uuid4().hex[:12]
        self.owner = Owner.me(self.name)
        self.notice = Notice()

    async def serve(self) -> None:
        """Work on one stage after the other."""
        await self._look(first=True)
        watching = asyncio.create_task(self._watch())
        try:
            while not self.notice.over:
                if self.notice.stage:
                    await self._stage(self.notice.stage, self.notice.start)
                else:
                    await asyncio.sleep(LOOK / 2)
                if watching.done():
                    watching.result()
        finally:
            watching.cancel()

    async def _watch(self) -> None:
        while not self.notice.over:
            await asyncio.sleep(LOOK)
            await self._look()

    async def _look(self, first: bool = False) -> None:
        """Read what the head says. Raises `RunError` if it has been silent for too long."""
        began = time.monotonic()
        while (notice := await asyncio.to_thread(read, self.store, "notice.json", Notice)) is None or (
            first and notice.over  # of an earlier start: its next one may be about to begin
        ):
            if time.monotonic() - began > SILENCE:
                raise RunError(f"no run is under way in {self.store.url}", "start its `synth run`")
            await asyncio.sleep(LOOK)
        if time.time() - notice.at > SILENCE and not notice.over:
            raise RunError(
                f"the head of the run in {self.store.url} has been silent for {SILENCE:.0f} s",
                "start its command again, then this one",
            )
        self.notice = notice

    async def _stage(self, stage: str, start: str) -> None:
        """Come to a stage as the head did, and work on its shards."""
        brief, run = await asyncio.to_thread(self._briefing, stage)
        folder = RunFolder(self.scratch / "run")
        for name, text in brief.files.items():
            RunFolder.write(folder.path / name, text.encode())
        flow, settings = _flow_of(run)
        team = await team_at(brief.seats, self.scratch, self.say)
        journal = Journal(self.scratch / "own.db")
        place = StagePlace.of(self.store, stage)
        desk = Desk(
            place,
            stage,
            self.owner,
            self.session,
            self.scratch,
            run.lease_seconds,
            lambda: (self.notice.stage, self.notice.start, self.notice.over) == (stage, start, False),
            self.say,
        )
        try:
            many_connections()
            with make_progress(quiet=True) as progress:
                session = WorkerSession(
                    flow=settings,
                    params=_params(flow, run),
                    folder=folder,
                    journal=journal,
                    models=team.models,
                    progress=progress,
                    path=Path(run.path),
                    round=brief.round,
                    target=stage,
                    done=frozenset(brief.done),
                    store=self.store,
                    work=desk.work,
                )
                session.sources.mixed = {
                    name: [Question.model_validate(row) for row in rows] for name, rows in brief.mixed.items()
                }
                session.train = flow.training(session) if flow.training else settings.train
                desk.window = lambda: session._graphs_at_once(session.models)
                quiet_gc()
                await _to_target(flow.generate(session))
        finally:
            await team.aclose()
            await asyncio.to_thread(journal.close)

    def _briefing(self, stage: str) -> tuple[Brief, Run]:
        run, brief = read(self.store, "run.json", Run), read(self.store, f"{_place(stage)}/brief", Brief)
        if run is None or brief is None:
            raise RunError(f"the store {self.store.url} is not whole", "run the head's command again")
        if run.version != __version__:
            raise RunError(
                f"the run's head is synth {run.version}, this worker {__version__}",
                "install the same version",
            )
        self.store.in_place = run.in_place
        return brief, run


def _place(stage: str) -> str:
    return "stages/" + stage.replace("/", "-", 1)


async def _to_target(generate: Awaitable[object]) -> None:
    try:
        await generate
    except Arrived:
        return
    raise RunError("the flow ended before it came to the stage that is worked on", "see docs/scaling.md")


def _flow_of(run: Run) -> tuple[Flow, FlowFile]:
    """The head's flow and settings, in the head's folder if this machine has it."""
    if Path(run.folder).is_dir():
        os.chdir(run.folder)
    make_importable(Path(run.path))
    sys.path_importer_cache.clear()
    settings = FlowFile.model_validate({key: value for key, value in run.flow.items() if key != "with"})
    return load_flow_module(settings.flow), settings


def _params(flow: Flow, run: Run) -> FlowParams:
    return flow.params.model_validate(run.flow.get("with") or {})
