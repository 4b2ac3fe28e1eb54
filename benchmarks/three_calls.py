"""What a call costs the client: a three-call LangGraph flow through the whole engine, against
a bare aiohttp loop that sends the same bodies and does nothing with the replies.

All included on our side: graph, template, request, parse, journal, lineage, result rows.
"""

from __future__ import annotations

import asyncio
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import orjson

from benchmarks.server import scripted_server
from synth.chat import Request
from synth.engine import Context, run_graph
from synth.engine.runner import seed_rng
from synth.engine.tuning import quiet_gc
from synth.journal import Journal
from synth.records import Message, Sampling, Seed
from synth.teachers.http import HttpEndpoint
from synth.teachers.model import Model
from synth.teachers.wire import body_of
from tests.support.graphs import Said, seeds, three_call_graph

__all__ = ["Cost", "bare", "flow", "main"]

FILLER = "A plain sentence of an ordinary document, as a teacher would be given it. " * 26


@dataclass(frozen=True)
class Cost:
    """Of one arm: calls made, CPU milliseconds a call in this process, calls a second, peak RSS in MB."""

    calls: int
    cpu_ms: float
    rate: float
    rss_mb: float


async def flow(base_url: str, records: int, concurrency: int, window: int) -> Cost:
    """The engine's cost a call."""
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.db")
        endpoint = HttpEndpoint(base_url, concurrency=concurrency)
        model = Model("teacher", "scripted", "v1", "scripted", endpoint, journal)

        def context(seed: Seed) -> Context:
            return Context(
                "bench", "fixed", 1, "bench", seed.id, {"teacher": model}, None, seed_rng(0, "b", seed.id)
            )

        graph = three_call_graph()
        quiet_gc()
        measured = await _measure(
            lambda: run_graph(
                graph, seeds(records, FILLER), context, journal, stage="1/bench", window=window
            ),
            3 * records,
        )
        assert journal.result_counts("1/bench")[:2] == (records, records)
        await endpoint.aclose()
        journal.close()
    return measured


async def bare(base_url: str, calls: int, concurrency: int) -> Cost:
    """The floor: the same bodies sent by aiohttp, the reply parsed by orjson, nothing else."""
    texts = iter(seeds(calls, FILLER))
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(
        connector=connector, headers={"Content-Type": "application/json"}
    ) as session:

        async def worker() -> None:
            for seed in texts:
                messages: list[Message] = [
                    {"role": "system", "content": "You answer with one JSON object and nothing else."},
                    {"role": "user", "content": seed.data["text"]},
                ]
                request = Request(
                    messages, Sampling(temperature=0.7, max_tokens=64), Said.model_json_schema()
                )
                async with session.post(
                    f"{base_url}/chat/completions", data=body_of(request, "scripted", 1, 0)
                ) as r:
                    orjson.loads(await r.read())["choices"][0]["message"]["content"]

        async def everyone() -> None:
            await asyncio.gather(*(worker() for _ in range(concurrency)))

        return await _measure(everyone, calls)


async def _measure(work: Callable[[], object], calls: int) -> Cost:
    cpu, wall = time.process_time(), time.perf_counter()
    awaitable = work()
    await awaitable  # type: ignore[misc]
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Cost(calls, 1000 * cpu / calls, calls / wall, rss)


async def main(records: int = 2000, concurrency: int = 256) -> None:
    """Print both costs and their ratio."""
    async with scripted_server("--latency", "0.05") as base_url:
        floor = await bare(base_url, 3 * records, concurrency)
        ours = await flow(base_url, records, concurrency, concurrency)
    print(f"bare aiohttp        {floor.cpu_ms:.3f} ms CPU a call   {floor.rate:7.0f} calls/s")
    print(
        f"three-call flow     {ours.cpu_ms:.3f} ms CPU a call   {ours.rate:7.0f} calls/s   peak RSS {ours.rss_mb:.0f} MB"
    )
    print(f"ratio               {ours.cpu_ms / floor.cpu_ms:.2f}")


if __name__ == "__main__":
    asyncio.run(main())
