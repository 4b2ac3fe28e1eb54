"""The head: cuts seeds into shards, merges what workers made of them, and is the run for all else."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any, cast

from synth import __version__
from synth.config import Loaded
from synth.engine.context import Context
from synth.engine.flow import Flow
from synth.engine.runner import Graph, Result, StageCounts, run_graph
from synth.engine.session import Session
from synth.errors import RunError
from synth.journal import Journal
from synth.records import Sample, Seed
from synth.scale.bulletin import Brief, Notice, Run, post, read, reports
from synth.scale.lease import SKEW, holder
from synth.scale.merge import Merger
from synth.scale.plan import Scale
from synth.scale.results import publish
from synth.scale.seats import seats_of
from synth.scale.shards import FEWEST, MOST, Shard, StagePlace, pieces
from synth.scale.store import Store
from synth.teachers.model import Model

__all__ = ["Head", "store_of"]

LOOK = 0.5
"""Seconds between two looks at the shards of a local store; a remote one is looked at less often."""
LOOK_REMOTE = 2.0
PER_WORKER = 8
"""Shards a worker gets at least, where there are enough seeds: so that none is idle for long at the end."""
SMALL_FILES = 5_000_000
"""Bytes up to which a file of the run's rounds is passed on to workers."""


class Head:
    """Runs the stages of a flow's `generate` on workers; exams and the rest stay in this process."""

    def __init__(self, scale: Scale, loaded: Loaded, session: Session, fresh: bool = False) -> None:
        self._scale, self._loaded, self._session = scale, loaded, session
        self._folder, self._say = session.folder.path, session.progress.log
        self.store = store_of(scale, self._folder)
        self._many = MOST * PER_WORKER * max(1, scale.workers)
        self._look = LOOK if self.store.in_place else LOOK_REMOTE
        self._crew = scale.crew()
        self._notice = Notice()
        self._fresh = fresh
        self._generating = False
        self._beating: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Claim the store and start the workers. Raises `RunError` if it holds another run's shards."""
        await asyncio.to_thread(self._claim)
        self._beating = asyncio.create_task(self._beat())
        self._crew.start(
            self.store.url if self.store.local is None else str(self.store.local), self._folder, self._say
        )
        self._session.runner = self.run_graph

    async def aclose(self) -> None:
        """Send the workers home."""
        if self._beating is None:
            return
        self._beating.cancel()
        self._notice = Notice(over=True)
        with contextlib.suppress(RunError):
            await asyncio.to_thread(post, self.store, "notice.json", self._notice)
        await asyncio.to_thread(self._crew.stop)

    def leading(self, flow: Flow) -> Flow:
        """The flow with its `generate` run by workers."""

        async def generate(session: Session) -> Iterable[Sample]:
            self._generating = True
            try:
                return await flow.generate(session)
            finally:
                self._generating = False

        return dataclasses.replace(flow, generate=generate)

    async def run_graph(
        self,
        graph: Graph,
        seeds: Iterable[Seed],
        context: Callable[[Seed], Context],
        journal: Journal,
        *,
        stage: str,
        window: int | Callable[[], int] = 256,
        on_done: Callable[[Result], None] = lambda result: None,
        may_start: Callable[[], bool] = lambda: True,
    ) -> StageCounts:
        """In the place of `engine.run_graph`: the same results in the same journal, by workers."""
        if not self._generating:
            options = {"stage": stage, "window": window, "on_done": on_done, "may_start": may_start}
            return await run_graph(graph, seeds, context, journal, **cast(Any, options))
        await journal.flush()
        place = StagePlace.of(self.store, stage)
        merger = await asyncio.to_thread(Merger, journal.path, place, stage)
        counts = StageCounts()
        take = _Taking(counts, on_done, may_start, self._session.models)
        finished = False
        try:
            await asyncio.to_thread(self._brief, stage, place)
            await self._announce(stage)
            open_ = await asyncio.to_thread(self._cut, seeds, journal, place, merger, stage, counts)
            finished = counts.complete = await self._follow(open_, place, merger, take)
        finally:
            await self._announce("")
            try:
                if not finished:
                    await self._wind_up(place, merger, take)
            finally:
                merger.close()
        if finished:
            await self._clear(place)
        return counts

    # -- a stage ---------------------------------------------------------------------------------

    def _cut(
        self,
        seeds: Iterable[Seed],
        journal: Journal,
        place: StagePlace,
        merger: Merger,
        stage: str,
        counts: StageCounts,
    ) -> list[str]:
        """Put shards of the seeds without a result into the store; returns those that are not merged yet."""
        latest: dict[str, int] = {}
        for title in place.shards():
            name, _, number = title.rpartition(".")
            latest[name] = max(latest.get(name, -1), int(number))
        done = journal.finished_seeds(stage)
        open_ = []
        first = list(islice(stream := iter(seeds), self._many))
        for piece in pieces(chain(first, stream), self._size(len(first), place)):
            left = tuple((at, seed) for at, seed in piece.seeds if seed.id not in done)
            counts.resumed += len(piece.seeds) - len(left)
            attempt = latest.get(piece.name, -1)
            title = f"{piece.name}.{attempt}"
            if attempt >= 0 and not merger.finished(title) and not merger.faulty(title):
                open_.append(title)
            elif left:
                shard = Shard(
                    piece.name, attempt + 1, tuple(at for at, _ in left), tuple(seed for _, seed in left)
                )
                place.put(shard)
                open_.append(shard.title)
        return open_

    def _size(self, seeds: int, place: StagePlace) -> int:
        """Seeds a shard; the same in every start, so that pieces keep their names."""
        noted = self.store.read(f"{place.folder}/size")
        if noted is not None:
            return int(noted)
        size = self._scale.shard or min(MOST, max(FEWEST, MOST * seeds // self._many))
        self.store.write(f"{place.folder}/size", str(size).encode())
        return size

    async def _follow(self, open_: list[str], place: StagePlace, merger: Merger, take: _Taking) -> bool:
        """Merge what comes until all shards are done, or no more may be begun. Whether all are done."""
        while open_:
            began = time.monotonic()
            finished = set(await asyncio.to_thread(place.finished))
            leased = {name.rpartition(".")[0] for name in await asyncio.to_thread(place.leases)} | finished
            for title in [title for title in open_ if title in leased]:
                merged = await asyncio.to_thread(merger.merge, title, title in finished)
                take.take(merged.payloads, merged.tokens)
                if title in finished:
                    open_.remove(title)
                if take.stopped:
                    return False
            await self._check_workers(take.counts.seeds)
            if open_:
                await asyncio.sleep(max(0.05, self._look - (time.monotonic() - began)))
        return True

    async def _wind_up(self, place: StagePlace, merger: Merger, take: _Taking) -> None:
        """Let what is in flight be finished, and take over what there is of every shard."""
        take.quiet = True
        until = time.monotonic() + 2 * self._scale.lease_seconds
        while await asyncio.to_thread(self._held, place) and time.monotonic() < until:
            if self._crew.look(take.counts.seeds) == 0:
                break
            await asyncio.sleep(self._look)
        finished = set(await asyncio.to_thread(place.finished))
        for title in await asyncio.to_thread(place.shards):
            if not merger.finished(title):
                merged = await asyncio.to_thread(merger.merge, title, title in finished)
                take.take(merged.payloads, merged.tokens)

    async def _clear(self, place: StagePlace) -> None:
        """Take a stage's shards away: all of it is in the run's journal. What a worker that has not heard
        yet writes meanwhile may stay; it says nothing that anyone would believe."""
        for _ in range(3):
            with contextlib.suppress(RunError):
                await asyncio.to_thread(self.store.delete, place.folder)
                return
            await asyncio.sleep(0.2)

    def _held(self, place: StagePlace) -> bool:
        """Whether any worker still holds a shard."""
        latest: dict[str, str] = {}
        for name in place.leases():
            latest[name.rpartition(".")[0]] = name
        for name in latest.values():
            owner, deadline = holder(self.store, f"{place.folder}/leases/{name}")
            if deadline + SKEW >= time.time() and not owner.dead:
                return True
        return False

    async def _check_workers(self, finished: int) -> None:
        """Raises what the last worker failed with, once none is left."""
        alive = self._crew.look(finished)
        if alive is None or alive > 0:
            return
        failed = [error for _, error in (await asyncio.to_thread(reports, self.store)).values() if error]
        raise (
            failed[-1]
            if failed
            else RunError(
                "all workers have ended, and there are shards left",
                f"see the ends of {self._folder}/worker-*.log",
            )
        )

    # -- the store -------------------------------------------------------------------------------

    def _claim(self) -> None:
        if self._fresh:
            self.store.delete("")
        journal = self._session.journal
        identity = journal.meta("scale")
        found = read(self.store, "run.json", Run)
        if found is not None and found.id != identity:
            raise RunError(
                f"the store {self.store.url} holds the shards of another run",
                "name another --store, or begin anew with --fresh",
            )
        if identity is None:
            identity = uuid.uuid4().hex
            journal.set_meta("scale", identity)
        journal.set_meta("scale-store", self.store.url)
        journal.set_meta("scale-journals", "files" if self.store.in_place else "segments")
        run = Run(
            id=identity,
            version=__version__,
            flow=self._loaded.resolved(),
            path=str(self._loaded.path.absolute()),
            folder=str(Path.cwd()),
            lease_seconds=self._scale.lease_seconds,
            in_place=self.store.in_place,
        )
        self.store.delete("workers")
        post(self.store, "run.json", run)
        post(self.store, "notice.json", self._notice)

    def _brief(self, stage: str, place: StagePlace) -> None:
        """What a worker needs to come to this stage."""
        session = self._session
        done = [row for row in session.journal.stages() if row.status == "done"]
        names = [f"{row.round}/{row.name}" for row in done]
        names = [name for name in names if session.journal.result_counts(name)[0]]
        for name in names:
            publish(self.store, name, session.journal.results(name))
        brief = Brief(
            round=session.round,
            seats=seats_of(session.flow.models, cast(Any, session.models), self._scale.workers),
            files=dict(self._files()),
            mixed={name: [one.model_dump() for one in rows] for name, rows in session.mixed.items()},
            done=names,
        )
        post(self.store, f"{place.folder}/brief", brief)

    def _files(self) -> Iterator[tuple[str, str]]:
        """The run's tokenizer and the small files of its rounds, which a flow may read."""
        for path in [self._folder / "tokenizer.json", *sorted(self._folder.glob("rounds/*/*.json"))]:
            if path.is_file() and (path.name == "tokenizer.json" or path.stat().st_size < SMALL_FILES):
                yield str(path.relative_to(self._folder)), path.read_text(encoding="utf-8")

    async def _announce(self, stage: str) -> None:
        self._notice = Notice(stage=stage, start=f"{os.getpid()}-{uuid.uuid4().hex[:6]}" if stage else "")
        await asyncio.to_thread(post, self.store, "notice.json", self._notice)

    async def _beat(self) -> None:
        """Show that the head is there."""
        while True:
            await asyncio.sleep(5.0)
            with contextlib.suppress(RunError):
                await asyncio.to_thread(post, self.store, "notice.json", self._notice)


class _Taking:
    """Takes results over: counts them, tells the session, and hears whether more may be made."""

    def __init__(
        self,
        counts: StageCounts,
        on_done: Callable[[Result], None],
        may_start: Callable[[], bool],
        models: Any,
    ) -> None:
        self.counts, self.stopped, self.quiet = counts, False, False
        self._on_done, self._may_start, self._models = on_done, may_start, models

    def take(self, payloads: list[bytes], tokens: dict[str, int]) -> None:
        for role, made in tokens.items():
            model = self._models.get(role)
            if isinstance(model, Model):
                model.tokens_made += made
        for payload in payloads:
            result = Result.load(payload)
            self.counts.seeds += 1
            self.counts.kept += len(result.samples)
            self.counts.rejected += len(result.rejections)
            self.counts.reasons.update(rejection.reason for rejection in result.rejections)
            if self.quiet:
                continue
            self.stopped = not self._may_start() or self.stopped
            self._on_done(result)


def store_of(scale: Scale, folder: Path) -> Store:
    """Where head and workers of a run meet: a folder of the run's own, or one below `--store`.

    A store that other machines may share is never used for files that all have open.
    """
    if scale.store:
        return Store(f"{scale.store.rstrip('/')}/{folder.name}", in_place=False)
    return Store(str(folder / "scale"), in_place=scale.address is None)
