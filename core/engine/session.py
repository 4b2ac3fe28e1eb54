"""A session: one run under way, as a flow sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synth.chat import Chat
from synth.config import FlowFile
from synth.data.conversations import Conversation
from synth.engine.budget import BudgetMeter, WorkClock
from synth.engine.context import Context
from synth.engine.flow import FlowParams
from synth.engine.folder import RunFolder
from synth.engine.runner import Graph, Result, StageCounts, run_graph, seed_rng
from synth.engine.sources import Sources
from synth.engine.stage import GraphStage
from synth.engine.tolerance import FAULTS, Tolerance
from synth.errors import BudgetExceeded, SynthError
from synth.journal import Journal
from synth.progress import Progress
from synth.progress.stage import Stage as StageBar
from synth.records import Question, Rejection, Sample, Seed

__all__ = ["Session"]


@dataclass
class Session:
    """What a flow's `generate` works with: its settings, data, models, and stages to run.

    `path` is the flow file's; `round` counts from 1. `stage` is the only way work gets done: it
    streams seeds through a graph, stores every result, and is skipped when it was finished before.
    """

    flow: FlowFile
    params: FlowParams
    folder: RunFolder
    journal: Journal
    models: Mapping[str, Chat]
    progress: Progress
    path: Path
    round: int = 1
    window: int = 256
    """Fewest graphs under way at once; more where the models take more calls."""

    def __post_init__(self) -> None:
        self.train = self.flow.train
        """How this round trains."""
        self.pace = 1.0
        """Share of the learning rates this round trains with."""
        self.sources = Sources(self.flow, self.path.parent)
        self.runner = run_graph
        """How graphs are run over seeds: here, or by workers."""
        self.clock = WorkClock(self.journal)
        self.meter = BudgetMeter(self.flow, self.journal, self.clock)

    def questions(self, name: str) -> list[Question]:
        """All questions of a data source of the flow file; of conversations the user's first turns.

        Raises `DataError`.
        """
        return self.sources.questions(name)

    def conversations(self, name: str) -> list[Conversation]:
        """All conversations of a data source of that shape. Raises `DataError`."""
        return self.sources.conversations(name)

    async def stage(
        self,
        name: str,
        graph: Graph,
        seeds: Iterable[Seed],
        *,
        total: int | None = None,
        extras: Mapping[str, Any] | None = None,
        models: Mapping[str, Chat] | None = None,
    ) -> list[Result]:
        """Run a graph over seeds and return all results in seed order.

        `extras` is shared by all invocations through their context; `models` overrides the
        session's. Raises `SynthError` where the run cannot go on (it is resumable), among them
        `BudgetExceeded`: then no seed is begun any more, and those in flight were finished.
        """
        await self.run_stage(name, graph, seeds, total=total, extras=extras, models=models)
        return list(self.results(name))

    async def run_stage(
        self,
        name: str,
        graph: Graph,
        seeds: Iterable[Seed],
        *,
        total: int | None = None,
        extras: Mapping[str, Any] | None = None,
        models: Mapping[str, Chat] | None = None,
    ) -> None:
        """As `stage`, for stages whose results do not fit in memory: read them with `results`."""
        await self.play(GraphStage(name, graph, seeds, total, extras or {}, models))

    async def play(self, stage: GraphStage) -> None:
        """Run a stage, unless it was finished before. Raises as `stage` does."""
        name, full_name = stage.name, f"{self.round}/{stage.name}"
        row = self.journal.stage(self.round, name)
        if row is not None and row.status == "done":
            self.progress.log(f"round {self.round} {name}: done before")
            return
        self.check_budget()
        self.begin(name)
        await self._forget_faults(full_name)
        self.meter.begin()
        done, _, _ = self.journal.result_counts(full_name)
        with self.progress.stage(self.round, name, stage.total, done) as bar:
            try:
                counts = await self._run(stage, full_name, bar)
                if not counts.complete:
                    self.check_budget()
            except SynthError as error:
                status = "stopped" if isinstance(error, BudgetExceeded) else "failed"
                self.journal.set_stage(self.round, name, status, {"error": error.what})
                raise
            finally:
                self.clock.leave()
        self.finish(name, {**self._info(full_name, counts.resumed), "seeds": counts.seeds + counts.resumed})

    async def _run(self, stage: GraphStage, full_name: str, bar: StageBar) -> StageCounts:
        models = stage.models or self.models
        tolerance = Tolerance(self.flow.on_error, full_name)
        seen = self._tokens_made()

        def on_done(result: Result) -> None:
            nonlocal seen
            self.meter.finished()
            made = self._tokens_made()
            bar.cost = self.meter.so_far()
            bar.advance(1, tokens=made - seen)
            seen = made
            for rejection in result.rejections:
                bar.advance(0, dropped_reason=rejection.reason)
            tolerance.see(result)

        return await self.runner(
            stage.graph,
            stage.seeds,
            self.contexts(stage.name, stage.extras, models),
            self.journal,
            stage=full_name,
            window=lambda: self._graphs_at_once(models),
            on_done=on_done,
            may_start=self.meter.admit,
        )

    def contexts(
        self, name: str, extras: Mapping[str, Any], models: Mapping[str, Chat]
    ) -> Callable[[Seed], Context]:
        """What surrounds the graphs of a stage, from each one's seed."""
        full_name, shared = f"{self.round}/{name}", dict(extras)

        def context(seed: Seed) -> Context:
            return Context(
                flow=self.flow.flow,
                arm=self.params.arm,
                round=self.round,
                stage=name,
                seed_id=seed.id,
                models=models,
                params=self.params,
                rng=seed_rng(self.flow.seed, full_name, seed.id),
                extras=shared,
            )

        return context

    async def _forget_faults(self, full_name: str) -> None:
        """A stage begun again gives records that failed another chance; drops of the method stay."""
        for result in self._stored(full_name):
            if any(rejection.reason in FAULTS for rejection in result.rejections):
                self.journal.forget_result(full_name, result.seed)
        await self.journal.flush()

    def _graphs_at_once(self, models: Mapping[str, Chat]) -> int:
        """A quarter more than the widest model takes: its gate, not this window, sets the pace."""
        return max(self.window, *(model.width + model.width // 4 for model in models.values()))

    def _tokens_made(self) -> int:
        return sum(model.tokens_made for model in {id(m): m for m in self.models.values()}.values())

    def _info(self, full_name: str, resumed: int) -> dict[str, Any]:
        """Counts of a finished stage over all of its starts."""
        seeds, kept, rejected = self.journal.result_counts(full_name)
        reasons: dict[str, int] = {}
        if rejected:
            for result in self._stored(full_name):
                for rejection in result.rejections:
                    reasons[rejection.reason] = reasons.get(rejection.reason, 0) + 1
        return {"items": seeds, "kept": kept, "rejected": rejected, "reasons": reasons, "resumed": resumed}

    def begin(self, name: str) -> None:
        """Note that a stage of this round is under way."""
        self.journal.set_stage(self.round, name, "running", {})
        self.clock.enter(f"{self.round}/{name}")

    def finish(self, name: str, info: Mapping[str, Any]) -> None:
        """Note that a stage of this round is done."""
        self.clock.leave()
        self.journal.set_stage(self.round, name, "done", dict(info))
        self.folder.event("stage-done", round=self.round, stage=name, **info)

    def results(self, name: str, round: int | None = None) -> Iterator[Result]:
        """Stored results of a stage of this round (or of another one), in seed order."""
        return self._stored(f"{round or self.round}/{name}")

    def samples(self, name: str) -> Iterator[Sample]:
        """Samples of a stage of this round, in seed order."""
        return (sample for result in self.results(name) for sample in result.samples)

    def rejections(self) -> Iterator[Rejection]:
        """Rejections of all graph stages of this round."""
        for row in self.journal.stages():
            if row.round == self.round:
                for result in self.results(row.name):
                    yield from result.rejections

    def _stored(self, full_name: str) -> Iterator[Result]:
        return (Result.load(payload) for payload in self.journal.results(full_name))

    def check_budget(self) -> None:
        """Raises `BudgetExceeded` at a clean point once a limit of the flow file is reached."""
        self.meter.check()
