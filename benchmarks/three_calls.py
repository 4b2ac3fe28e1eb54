"""What a call costs the client: a three-call LangGraph flow through the whole engine, against
a bare aiohttp loop that sends the same bodies and does nothing with the replies.

All included on our side: graph, template, request, parse, journal, lineage, result rows.
"""

from __future__ import annotations

import asyncio
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import aiohttp
import orjson
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import BaseModel

from benchmarks.server import scripted_server
from synth.agents import Agent
from synth.chat import Request
from synth.engine import Context, Graph, run_graph
from synth.engine.runner import seed_rng
from synth.engine.tuning import quiet_gc
from synth.journal import Journal
from synth.records import Message, Sample, Sampling, Seed
from synth.teachers.http import HttpEndpoint
from synth.teachers.model import Model
from synth.teachers.wire import body_of

__all__ = ["Cost", "bare", "flow", "main"]

PROMPT = """--- system ---
You answer with one JSON object and nothing else.
--- user ---
{{ text }}
"""


class Said(BaseModel):
    """What each of the three agents answers."""

    text: str


class State(TypedDict, total=False):
    """Three texts, each made from the one before, and the sample at the end."""

    seed: Seed
    first: str
    second: str
    samples: list[Sample]


@dataclass(frozen=True)
class Cost:
    """Of one arm: calls made, CPU milliseconds a call in this process, calls a second, peak RSS in MB."""

    calls: int
    cpu_ms: float
    rate: float
    rss_mb: float


def three_call_graph(prompt: Path) -> Graph:
    """draft -> check -> write, one agent each."""
    sampling = Sampling(temperature=0.7, max_tokens=64)
    draft, check, write = (Agent(name, "teacher", prompt, Said, sampling) for name in ("draft", "check", "write"))

    async def first(state: State, runtime: Runtime[Context]) -> State:
        said = await draft(runtime.context, text=state["seed"].data["text"])
        return {"first": said.text}

    async def second(state: State, runtime: Runtime[Context]) -> State:
        said = await check(runtime.context, text=f"check {state['first']}")
        return {"second": said.text}

    async def third(state: State, runtime: Runtime[Context]) -> State:
        context = runtime.context
        said = await write(context, text=f"write {state['second']}")
        prompt: list[Message] = [{"role": "user", "content": state["seed"].data["text"]}]
        sample = Sample.sft(
            prompt,
            said.text,
            seed_id=context.seed_id,
            flow="bench",
            arm="fixed",
            round=1,
            lineage=context.lineage(),
        )
        return {"samples": [sample]}

    builder = StateGraph(State, context_schema=Context)
    for name, node in (("draft", first), ("check", second), ("write", third)):
        builder.add_node(name, node)
    builder.add_edge(START, "draft")
    builder.add_edge("draft", "check")
    builder.add_edge("check", "write")
    builder.add_edge("write", END)
    return builder.compile()


def seeds(count: int) -> Iterator[Seed]:
    """Distinct seeds with about 2 KB of text each."""
    filler = "A plain sentence of an ordinary document, as a teacher would be given it. " * 26
    return (Seed(id=f"{i:016x}", data={"text": f"{i}: {filler}"}) for i in range(count))


async def flow(base_url: str, records: int, concurrency: int, window: int) -> Cost:
    """The engine's cost a call."""
    with tempfile.TemporaryDirectory() as folder:
        prompt = Path(folder) / "prompt.md.j2"
        prompt.write_text(PROMPT)
        journal = Journal(Path(folder) / "journal.db")
        endpoint = HttpEndpoint(base_url, concurrency=concurrency)
        model = Model("teacher", "scripted", "v1", "scripted", endpoint, journal)

        def context(seed: Seed) -> Context:
            return Context("bench", "fixed", 1, "bench", seed.id, {"teacher": model}, None, seed_rng(0, "b", seed.id))

        graph = three_call_graph(prompt)
        quiet_gc()
        measured = await _measure(
            lambda: run_graph(graph, seeds(records), context, journal, stage="1/bench", window=window), 3 * records
        )
        assert journal.result_counts("1/bench")[:2] == (records, records)
        await endpoint.aclose()
        journal.close()
    return measured


async def bare(base_url: str, calls: int, concurrency: int) -> Cost:
    """The floor: the same bodies sent by aiohttp, the reply parsed by orjson, nothing else."""
    texts = iter(seeds(calls))
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers={"Content-Type": "application/json"}) as session:

        async def worker() -> None:
            for seed in texts:
                messages: list[Message] = [
                    {"role": "system", "content": "You answer with one JSON object and nothing else."},
                    {"role": "user", "content": seed.data["text"]},
                ]
                request = Request(messages, Sampling(temperature=0.7, max_tokens=64), Said.model_json_schema())
                async with session.post(f"{base_url}/chat/completions", data=body_of(request, "scripted", 1, 0)) as r:
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
    print(f"three-call flow     {ours.cpu_ms:.3f} ms CPU a call   {ours.rate:7.0f} calls/s   peak RSS {ours.rss_mb:.0f} MB")
    print(f"ratio               {ours.cpu_ms / floor.cpu_ms:.2f}")


if __name__ == "__main__":
    asyncio.run(main())
