"""Texts as vectors, from a model that embeds: a role of `api: embeddings`, or a program."""

from __future__ import annotations

from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from synth.agents.agent import ask
from synth.chat import Dropped
from synth.engine import Context, Graph
from synth.records import Sampling, Seed
from synth.teachers.reward import numbers_of

__all__ = ["EMBEDDER", "embed_graph"]

EMBEDDER = "embedder"
"""The role that embeds, where no other is named."""


class State(TypedDict, total=False):
    """`output` holds the text's `id` (its seed's, if the seed names none) and `vector`."""

    seed: Seed
    output: dict[str, Any]


def embed_graph(role: str = EMBEDDER, field: str = "question") -> Graph:
    """embed: a text as a vector. `field` of the seed's data holds the text."""

    async def embed(state: State, runtime: Runtime[Context]) -> State:
        seed = state["seed"]
        (reply,) = await ask(
            runtime.context,
            role,
            [{"role": "user", "content": seed.data[field]}],
            Sampling(max_tokens=1),
            agent="embed",
        )
        try:
            vector = numbers_of(reply.text)
        except (TypeError, ValueError) as error:
            raise Dropped("unparsed", "embed", str(error), raw=reply.text[:4000]) from error
        return {"output": {"id": seed.data.get("id", seed.id), "vector": vector}}

    builder = StateGraph(State, context_schema=Context)
    builder.add_node("embed", embed)
    builder.add_edge(START, "embed")
    builder.add_edge("embed", END)
    return builder.compile(name="embed")
