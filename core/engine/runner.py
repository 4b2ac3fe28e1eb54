"""The runner: one graph over a stream of seeds, a few hundred at once, in bounded memory.

Seeds stream in, results stream out to the journal. A seed whose result is stored is not
run again; one that was under way replays its finished calls from the journal.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from synth.chat import Dropped
from synth.engine.context import Context
from synth.engine.entry import Graph, entered
from synth.engine.ids import Ids
from synth.errors import SynthError
from synth.journal import Journal
from synth.records import Rejection, Sample, Seed

__all__ = ["Graph", "Result", "StageCounts", "run_graph"]

RECURSION_LIMIT = 200


@dataclass(slots=True)
class Result:
    """What one seed came to."""

    seed: str
    samples: list[Sample] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    output: dict[str, Any] = field(default_factory=dict)

    def dump(self) -> bytes:
        """One JSON object, read back by `load`."""
        return orjson.dumps(
            {
                "seed": self.seed,
                "samples": [sample.model_dump() for sample in self.samples],
                "rejections": [rejection.model_dump() for rejection in self.rejections],
                "output": self.output,
            }
        )

    @classmethod
    def load(cls, payload: bytes) -> Result:
        """The result `dump` wrote."""
        data = orjson.loads(payload)
        return cls(
            seed=data["seed"],
            samples=[Sample.model_validate(sample) for sample in data["samples"]],
            rejections=[Rejection.model_validate(rejection) for rejection in data["rejections"]],
            output=data["output"],
        )


@dataclass
class StageCounts:
    """How a stage went, counted as it goes."""

    seeds: int = 0
    resumed: int = 0
    kept: int = 0
    rejected: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    complete: bool = True
    """Whether every seed was run; not where `may_start` refused the rest."""

    def info(self) -> dict[str, Any]:
        """As stored with the stage."""
        return {
            "items": self.seeds,
            "resumed": self.resumed,
            "kept": self.kept,
            "rejected": self.rejected,
            "reasons": dict(self.reasons),
        }


async def run_graph(
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
    """Run `graph` once for each seed, at most `window` at a time; results go to the journal.

    A `window` that is a function is asked again after each seed, and may grow. `may_start` is
    asked before each seed; when it says no, one fewer runs at a time, and with the last one
    the stage ends where it is. What is in flight is always finished.

    A `Dropped` or a node's own exception makes a rejection, never a crash; a `SynthError`
    (endpoint lost, disk full) stops the stage, and the same command goes on later.
    """
    counts = StageCounts()
    stream = _fresh(seeds, journal, stage, counts)
    lean, signals = entered(graph)

    async def worker(go_on: Callable[[], None]) -> None:
        while may_start() and (fresh := next(stream, None)):
            position, seed = fresh
            result = await _run_one(lean, {**signals, "seed": seed}, seed, context(seed))
            journal.store_result(
                stage, seed.id, position, len(result.samples), len(result.rejections), result.dump()
            )
            counts.seeds += 1
            counts.kept += len(result.samples)
            counts.rejected += len(result.rejections)
            counts.reasons.update(rejection.reason for rejection in result.rejections)
            on_done(result)
            go_on()

    await _crew(worker, window if callable(window) else lambda: window)
    await journal.flush()
    counts.complete = next(stream, None) is None
    return counts


def _fresh(
    seeds: Iterable[Seed], journal: Journal, stage: str, counts: StageCounts
) -> Iterator[tuple[int, Seed]]:
    """Seeds without a stored result, numbered; a seed that comes twice is run once."""
    seen, done = Ids(), Ids()
    for name in journal.finished_seeds(stage):
        done.add(name)
    for position, seed in enumerate(seeds):
        if not seen.add(seed.id):
            continue
        if seed.id in done:
            counts.resumed += 1
        else:
            yield position, seed


async def _crew(
    worker: Callable[[Callable[[], None]], Coroutine[Any, Any, None]], size: Callable[[], int]
) -> None:
    """As many workers as `size` says by now. The first error stops the others and is raised."""
    hired = 0
    try:
        async with asyncio.TaskGroup() as group:

            def hire() -> None:
                nonlocal hired
                while hired < size():
                    hired += 1
                    group.create_task(worker(hire))

            hire()
    except* SynthError as errors:
        raise _first(errors) from None


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


async def _run_one(graph: Graph, start: dict[str, Any], seed: Seed, context: Context) -> Result:
    try:
        config = {"recursion_limit": RECURSION_LIMIT}
        # Version 2 collects the final values alone, a twentieth cheaper than version 1.
        output = await graph.ainvoke(start, config, context=context, version="v2")
        state: Mapping[str, Any] = output.value or {}
    except Dropped as drop:
        return Result(seed.id, rejections=[drop.rejection(seed.id, context.round, context.stage)])
    except SynthError:
        raise
    except Exception as error:
        return Result(seed.id, rejections=[_crash(error, seed, context)])
    return Result(
        seed.id,
        samples=list(state.get("samples") or ()),
        rejections=list(state.get("rejections") or ()),
        output=dict(state.get("output") or {}),
    )


def _crash(error: Exception, seed: Seed, context: Context) -> Rejection:
    """A node's own fault: kept with the seed, named by LangGraph's note on the exception."""
    notes = " ".join(getattr(error, "__notes__", ()))
    node = notes.split("'")[1] if notes.count("'") >= 2 else ""
    return Rejection(
        seed_id=seed.id,
        round=context.round,
        stage=context.stage,
        node=node,
        reason="crashed",
        detail=str(error),
        error=type(error).__name__,
        data=seed.data,
    )


def seed_rng(run_seed: int, stage: str, seed_id: str) -> random.Random:
    """Chance for one seed of one stage, the same in every replay."""
    return random.Random(f"{run_seed}/{stage}/{seed_id}")
