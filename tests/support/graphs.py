"""Small agent graphs for tests and benchmarks: three agents in a row, each asking once."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import BaseModel

from synth.agents import Agent
from synth.engine import Context, Graph
from synth.records import Message, Sample, Sampling, Seed

__all__ = ["Said", "seeds", "three_call_graph"]

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


def three_call_graph() -> Graph:
    """draft -> check -> write, one agent each."""
    with tempfile.TemporaryDirectory() as folder:
        prompt = Path(folder) / "plain.md.j2"
        prompt.write_text(PROMPT)
        sampling = Sampling(temperature=0.7, max_tokens=64)
        agents = [Agent(name, "teacher", prompt, Said, sampling) for name in ("draft", "check", "write")]
        for agent in agents:
            agent.load()
    draft, check, write = agents

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
            flow=context.flow,
            arm=context.arm,
            round=context.round,
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


def seeds(count: int, filler: str = "") -> Iterator[Seed]:
    """Distinct seeds; `filler` makes their text longer."""
    return (Seed(id=f"{i:016x}", data={"text": f"{i}: {filler}"}) for i in range(count))
