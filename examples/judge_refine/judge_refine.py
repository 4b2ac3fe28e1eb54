"""An answer is mended until a judge is content with it, and becomes an example, or is dropped."""

from pathlib import Path
from typing import Literal, TypedDict

from langgraph.graph import StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command
from pydantic import BaseModel

from synth import Agent, Context, Dropped, Flow, Sample, Sampling, Seed


class Text(BaseModel):
    text: str


class Verdict(BaseModel):
    good: bool
    problem: str = ""


class State(TypedDict, total=False):
    seed: Seed
    answer: Text
    verdict: Verdict
    samples: list[Sample]


HERE, FREE = Path(__file__).parent, Sampling(temperature=0.7, max_tokens=200)
write = Agent("write", "writer", HERE / "write.md.j2", Text, FREE)
judge = Agent("judge", "judge", HERE / "judge.md.j2", Verdict)
refine = Agent("refine", "writer", HERE / "refine.md.j2", Text, FREE)


async def decide(state: State, runtime: Runtime[Context]) -> State | Command[Literal["refine"]]:
    if state["verdict"].good:
        return {"samples": [runtime.context.sample(state["seed"].data["question"], state["answer"].text)]}
    if len(runtime.context.calls) > 5:
        raise Dropped("unmended", "decide", state["verdict"].problem, state["answer"].text)
    return Command(goto="refine")


def build() -> Flow:
    graph = StateGraph(State, context_schema=Context)
    graph.add_node("write", write.node("seed", writes="answer"))
    graph.add_node("judge", judge.node("seed", "answer", writes="verdict"))
    graph.add_node("decide", decide)
    graph.add_node("refine", refine.node("seed", "answer", "verdict", writes="answer"))
    graph.set_entry_point("write")
    graph.add_edge("write", "judge")
    graph.add_edge("judge", "decide")
    graph.add_edge("refine", "judge")
    return Flow.of("judge_refine", graph.compile(), roles=("writer", "judge"))
