"""The work the benchmarks do: the three-call flow through the whole engine, and the same calls bare."""

from __future__ import annotations

import asyncio
import resource
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from synth.chat import Reply, Request
from synth.engine import Context, run_graph
from synth.engine.runner import Result, seed_rng
from synth.engine.tuning import many_connections, quiet_gc
from synth.journal import Journal
from synth.records import Message, Sampling, Seed
from synth.teachers.http import HttpEndpoint
from synth.teachers.model import Model
from synth.teachers.wire import body_of
from tests.support.graphs import Said, seeds, three_call_graph

__all__ = ["CALLS", "FILLER", "Cost", "bare", "flow", "peak_rss", "request_of", "sdk"]

CALLS = 3
FILLER = "A plain sentence of an ordinary document, as a teacher would be given it. " * 26
SAMPLING, SCHEMA = Sampling(temperature=0.7, max_tokens=64), Said.model_json_schema()
SYSTEM = "You answer with one JSON object and nothing else."


@dataclass
class Cost:
    """Of one arm: calls made, CPU and wall seconds in this process, when each call ended,
    and when the last seed was taken."""

    calls: int
    cpu: float = 0.0
    wall: float = 0.0
    kept: int = 0
    rejected: int = 0
    ends: list[float] = field(default_factory=list)
    dry: float = 0.0

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds a call."""
        return 1000 * self.cpu / self.calls

    @property
    def rate(self) -> float:
        """Calls a second, from the first to the last."""
        return self.calls / self.wall

    @property
    def steady_rate(self) -> float:
        """Calls a second without the first tenth, and while there were seeds left to begin."""
        middle = [end for end in self.ends[len(self.ends) // 10 :] if end <= self.dry]
        return (len(middle) - 1) / (middle[-1] - middle[0])

    def watch(self, given: Iterator[Seed]) -> Iterator[Seed]:
        """The seeds, noting when they run out."""
        yield from given
        self.dry = time.perf_counter()


class _Timed(HttpEndpoint):
    """Notes when each call ends."""

    def __init__(self, ends: list[float], base_url: str, **options: Any) -> None:
        super().__init__(base_url, **options)
        self._ends = ends

    async def chat(self, *asked: Any) -> list[Reply]:
        replies = await super().chat(*asked)
        self._ends.append(time.perf_counter())
        return replies


async def flow(
    base_url: str,
    records: int,
    concurrency: int | None,
    window: int | Callable[[], int] | None = None,
    *,
    call_seconds: float = 120.0,
    filler: str = FILLER,
) -> Cost:
    """The three-call flow: graph, template, request, parse, journal, lineage, result rows."""
    cost = Cost(CALLS * records)
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.db")
        endpoint = _Timed(cost.ends, base_url, concurrency=concurrency, timeout=call_seconds, probe_every=0.5)
        model = Model("teacher", "scripted", "v1", "scripted", endpoint, journal)

        def context(seed: Seed) -> Context:
            return Context(
                "bench", "fixed", 1, "bench", seed.id, {"teacher": model}, None, seed_rng(0, "b", seed.id)
            )

        def at_once() -> int:
            return max(256, model.width + model.width // 4)

        def on_done(result: Result) -> None:
            cost.kept += len(result.samples)
            cost.rejected += len(result.rejections)

        graph = three_call_graph()
        many_connections()
        quiet_gc()
        await _measure(
            cost,
            lambda: run_graph(
                graph,
                cost.watch(seeds(records, filler)),
                context,
                journal,
                stage="1/bench",
                window=at_once if window is None else window,
                on_done=on_done,
            ),
        )
        await endpoint.aclose()
        journal.close()
    return cost


async def bare(base_url: str, calls: int, concurrency: int) -> Cost:
    """The floor: the same bodies sent by aiohttp, the reply parsed by orjson, nothing else."""
    cost = Cost(calls)
    texts = cost.watch(seeds(calls, FILLER))
    many_connections()
    url = f"{base_url}/chat/completions"
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=headers) as session:

        async def worker() -> None:
            for seed in texts:
                async with session.post(url, data=body_of(request_of(seed), "scripted", 1, 0)) as answer:
                    orjson.loads(await answer.read())["choices"][0]["message"]["content"]
                cost.ends.append(time.perf_counter())

        await _measure(cost, lambda: asyncio.gather(*(worker() for _ in range(concurrency))))
    return cost


async def sdk(base_url: str, calls: int, concurrency: int) -> Cost:
    """The same calls with the openai package as it comes."""
    from openai import AsyncOpenAI

    cost = Cost(calls)
    texts = cost.watch(seeds(calls, FILLER))
    async with AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0) as client:

        async def worker() -> None:
            for seed in texts:
                body: dict[str, Any] = orjson.loads(body_of(request_of(seed), "scripted", 1, 0))
                answer = await client.chat.completions.create(**body)
                orjson.loads(answer.choices[0].message.content or "")
                cost.ends.append(time.perf_counter())

        await _measure(cost, lambda: asyncio.gather(*(worker() for _ in range(concurrency))))
    return cost


def request_of(seed: Seed) -> Request:
    """What the flow's first agent asks about a seed."""
    messages: list[Message] = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": seed.data["text"]},
    ]
    return Request(messages, SAMPLING, SCHEMA)


def peak_rss() -> float:
    """Most memory this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def _measure(cost: Cost, work: Callable[[], Awaitable[Any]]) -> None:
    cpu, wall = time.process_time(), time.perf_counter()
    await work()
    cost.cpu, cost.wall = time.process_time() - cpu, time.perf_counter() - wall
