"""A worker's desk: leases shards of one stage and runs them, two at a time, until the head calls it off."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

from synth.engine.context import Context
from synth.engine.runner import Graph, run_graph
from synth.errors import RunError, SynthError
from synth.journal import Journal
from synth.records import Seed
from synth.scale.journal import Routed, open_journal
from synth.scale.lease import SKEW, Lease, LeaseLost, Owner, holder, take
from synth.scale.shards import Shard, StagePlace

__all__ = ["Desk"]

SLOTS = 2
"""Shards under way at once: while the last records of one come in, the next one fills the servers."""
POLL = 0.2
"""Seconds between two looks for a free shard at first; the pause grows to `POLL_MOST` while there is none."""
POLL_MOST = 2.0


class Desk:
    """Works on `stage` (`ROUND/NAME`) for one worker. `going` says whether more may be begun."""

    def __init__(
        self,
        place: StagePlace,
        stage: str,
        owner: Owner,
        session: str,
        scratch: Path,
        lease_seconds: float,
        going: Callable[[], bool],
        say: Callable[[str], None],
    ) -> None:
        self._place, self._stage, self._owner, self._session = place, stage, owner, session
        self._scratch, self._lease_seconds = scratch, lease_seconds
        self._going, self._say = going, say
        self._mine: set[str] = set()
        self._busy: dict[str, tuple[Owner, float]] = {}
        self.window: Callable[[], int] = lambda: 256

    async def work(self, graph: Graph, context: Callable[[Seed], Context]) -> None:
        """Run shards until nothing may be begun any more. The first error stops all, resumably."""
        try:
            async with asyncio.TaskGroup() as slots:
                for _ in range(SLOTS):
                    slots.create_task(self._slot(graph, context))
        except* SynthError as errors:
            raise errors.exceptions[0] from None

    async def _slot(self, graph: Graph, context: Callable[[Seed], Context]) -> None:
        pause = POLL
        while self._going():
            leased = await asyncio.to_thread(self._lease)
            if leased is None:
                await asyncio.sleep(pause)
                pause = min(POLL_MOST, 1.5 * pause)
                continue
            pause = POLL
            try:
                await self._run(*leased, graph, context)
            except LeaseLost as error:
                self._say(error.what)
            finally:
                self._mine.discard(leased[0].title)

    def _lease(self) -> tuple[Shard, Lease] | None:
        """The first shard that nobody works on, from a place in the list that is this worker's own."""
        finished = set(self._place.finished())
        latest = {title.rpartition(".")[0]: title for title in self._place.shards()}
        open_ = [title for title in latest.values() if title not in finished and title not in self._mine]
        leases: dict[str, list[str]] = {}
        for name in self._place.leases():
            leases.setdefault(name.rpartition(".")[0], []).append(name)
        start = int.from_bytes(blake2b(self._owner.name.encode(), digest_size=4).digest()) % max(
            1, len(open_)
        )
        for title in open_[start:] + open_[:start]:
            known = leases.get(title, [])
            if known and self._is_busy(max(known)):
                continue
            self._mine.add(title)
            lease = take(
                self._place.store, self._place.folder, title, self._owner, self._lease_seconds, known
            )
            with contextlib.suppress(LookupError):  # the stage has just ended
                if lease is not None:
                    return self._place.shard(title), lease
            self._mine.discard(title)
        return None

    def _is_busy(self, name: str) -> bool:
        """Whether a lease held, when it was last read: it is read again after its deadline."""
        if name not in self._busy or self._busy[name][1] + SKEW < time.time():
            self._busy[name] = holder(self._place.store, f"{self._place.folder}/leases/{name}")
        owner, deadline = self._busy[name]
        return deadline + SKEW >= time.time() and not owner.dead

    async def _run(
        self, shard: Shard, lease: Lease, graph: Graph, context: Callable[[Seed], Context]
    ) -> None:
        renewing = asyncio.create_task(self._renew(lease))
        journal: Journal | None = None
        try:
            journal = await asyncio.to_thread(
                open_journal, self._place, shard, lease, self._session, self._stage, self._scratch
            )
            await journal.flush()
            with Routed.to(journal):
                counts = await run_graph(
                    graph,
                    shard.seeds,
                    context,
                    journal,
                    stage=self._stage,
                    window=self.window,
                    may_start=lambda: self._going() and lease.held,
                )
            if counts.complete:
                _, kept, rejected = journal.result_counts(self._stage)
                receipt = {"seeds": len(shard.seeds), "kept": kept, "rejected": rejected}
                await asyncio.to_thread(self._place.finish, shard, receipt)
        finally:
            renewing.cancel()
            if journal is not None:
                await asyncio.to_thread(journal.close)
            if lease.held:
                with contextlib.suppress(SynthError):
                    await asyncio.to_thread(lease.release)

    async def _renew(self, lease: Lease) -> None:
        """Keep the lease; a store that does not answer is asked again while there is time."""
        while lease.held:
            await asyncio.sleep(self._lease_seconds / 4)
            with contextlib.suppress(RunError, LeaseLost):
                await asyncio.to_thread(lease.renew)
