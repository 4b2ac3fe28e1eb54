"""A flow of two stages: three calls a record, then one call a pair of its samples. Nothing is trained."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from synth.agents import ask
from synth.chat import Dropped
from synth.engine import Context, Flow, FlowParams
from synth.engine.session import Session
from synth.records import Message, Sample, Sampling, Seed
from tests.support.graphs import seeds, three_call_graph


class Params(FlowParams):
    """How many records are drafted."""

    records: int = 40
    drop_every: int = 0
    filler: int = 0
    pairs: bool = True


def build() -> Flow:
    return Flow("two-stages", Params, generate, roles=("teacher",))


async def generate(session: Session) -> Iterable[Sample]:
    """Draft, then pair neighbours: the second stage's seeds are made of the first one's results."""
    params = session.params
    assert isinstance(params, Params)
    await session.run_stage("draft", three_call_graph(), seeds(params.records, "x" * params.filler))
    if not params.pairs:
        return session.samples("draft")
    kept = [sample for sample in session.samples("draft") if sample.completion]
    pairs = [
        Seed.of(one=a.completion[0]["content"], two=b.completion[0]["content"])
        for a, b in zip(kept[::2], kept[1::2], strict=False)
    ]
    await session.run_stage("pair", pair_graph(params), pairs, extras={"kept": len(kept)})
    return session.samples("pair")


class State(TypedDict, total=False):
    """A pair of texts, and the sample made of it."""

    seed: Seed
    samples: list[Sample]


def pair_graph(params: Params) -> Any:
    async def pair(state: State, runtime: Runtime[Context]) -> State:
        context = runtime.context
        one, two = state["seed"].data["one"], state["seed"].data["two"]
        if params.drop_every and int(context.seed_id, 16) % params.drop_every == 0:
            raise Dropped("unlucky", "pair")
        prompt: list[Message] = [{"role": "user", "content": f"{one} or {two}? {context.extras['kept']}"}]
        [reply] = await ask(context, "teacher", prompt, Sampling(max_tokens=32), agent="pair")
        sample = Sample.sft(
            prompt,
            reply.text,
            seed_id=context.seed_id,
            flow=context.flow,
            arm=context.arm,
            round=context.round,
            lineage=context.lineage(),
        )
        return {"samples": [sample]}

    builder = StateGraph(State, context_schema=Context)
    builder.add_node("pair", pair)
    builder.add_edge(START, "pair")
    builder.add_edge("pair", END)
    return builder.compile()
