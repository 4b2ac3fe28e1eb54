"""A worker's session: the flow's own code leads to the stage that is to be worked on, and no further."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from synth.engine.context import Context
from synth.engine.runner import Graph, Result
from synth.engine.session import Session
from synth.engine.stage import GraphStage
from synth.errors import RunError
from synth.records import Seed
from synth.scale.results import published
from synth.scale.store import Store

__all__ = ["Arrived", "Work", "WorkerSession"]

Work = Callable[[Graph, Callable[[Seed], Context]], Awaitable[None]]
"""Works on the shards of a stage with its graph and its contexts."""


class Arrived(BaseException):
    """The stage was reached and worked on; the rest of the flow is the head's."""


@dataclass
class WorkerSession(Session):
    """As the flow sees it, a run in which the stages before `target` (`ROUND/NAME`) are done.

    So a worker needs no copy of graphs, catalogues and pools: it makes them as the head did, from
    the flow file, the data, and the results of earlier stages, read from the store.
    """

    target: str = ""
    done: frozenset[str] = frozenset()
    store: Store | None = None
    work: Work | None = None

    async def play(self, stage: GraphStage) -> None:
        """Pass over a stage that is done; work on the target, then raise `Arrived`."""
        full_name = f"{self.round}/{stage.name}"
        if full_name in self.done:
            return
        if full_name != self.target:
            raise RunError(
                f"the flow {self.flow.flow!r} comes to the stage {full_name} here, and to {self.target} "
                "in the process that cuts the shards",
                "a flow's stages may depend on its data, its settings and earlier results alone",
            )
        assert self.work is not None
        await self.work(stage.graph, self.contexts(stage.name, stage.extras, stage.models or self.models))
        raise Arrived

    def check_budget(self) -> None:
        """The head does."""

    def _stored(self, full_name: str) -> Iterator[Result]:
        assert self.store is not None
        return published(self.store, full_name)
