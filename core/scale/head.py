"""The head: cuts seeds into shards, merges what workers made of them, and is the run for all else."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import time
import uuid
from collections.abc import Callable, Iterable
from itertools import chain, islice
from typing import Any, cast

from synth.config import Loaded
from synth.engine.context import Context
from synth.engine.flow import Flow
from synth.engine.runner import Graph, Result, StageCounts, run_graph
from synth.engine.session import Session
from synth.errors import RunError
from synth.journal import Journal
from synth.records import Sample, Seed
from synth.scale.bulletin import Notice, post, reports
from synth.scale.claim import brief, claim, store_of
from synth.scale.lease import any_held
from synth.scale.merge import Merger
from synth.scale.plan import Scale
from synth.scale.shards import FEWEST, MOST, Shard, StagePlace, pieces
from synth.scale.taking import Taking

__all__ = ["Head"]

LOOK = 0.5
"""Seconds between two looks at the shards of a local store; a remote one is looked at less often."""
LOOK_REMOTE = 2.0
PER_WORKER = 8
"""Shards a worker gets at least, where there are enough seeds: so that none is idle for long at the end."""


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
        if self._fresh:
            await asyncio.to_thread(self.store.delete, "")
        journal, seconds = self._session.journal, self._scale.lease_seconds
        await asyncio.to_thread(claim, self.store, journal, self._loaded, seconds)
        await asyncio.to_thread(post, self.store, "notice.json", self._notice)
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
        take = Taking(counts, on_done, may_start, self._session.models)
        finished = False
        try:
            await asyncio.to_thread(brief, self.store, self._session, place.folder, self._scale.workers)
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

    async def _follow(self, open_: list[str], place: StagePlace, merger: Merger, take: Taking) -> bool:
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

    async def _wind_up(self, place: StagePlace, merger: Merger, take: Taking) -> None:
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
        return any_held(self.store, place.folder, place.leases())

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

    async def _announce(self, stage: str) -> None:
        self._notice = Notice(stage=stage, start=f"{os.getpid()}-{uuid.uuid4().hex[:6]}" if stage else "")
        await asyncio.to_thread(post, self.store, "notice.json", self._notice)

    async def _beat(self) -> None:
        """Show that the head is there."""
        while True:
            await asyncio.sleep(5.0)
            with contextlib.suppress(RunError):
                await asyncio.to_thread(post, self.store, "notice.json", self._notice)
