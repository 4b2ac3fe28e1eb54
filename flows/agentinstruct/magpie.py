"""Seeds from a model itself: user turns it makes up after the start of its chat template (Magpie,
arXiv 2406.08464), as passages for the skills that take prompts."""

from __future__ import annotations

from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from synth.agents import ask
from synth.chat import Dropped
from synth.data.documents import DocumentSource, Passage
from synth.data.documents.near import NearDuplicates
from synth.data.documents.read import token_estimate
from synth.engine import Context
from synth.engine.session import Session
from synth.errors import DataError
from synth.flows.agentinstruct.params import Params
from synth.records import Sampling, Seed

__all__ = ["made_up", "magpie_graph"]

FEWEST = 3
"""Words of a turn that can be worked with."""


class Asked(TypedDict, total=False):
    """State of the graph; `output` has the turn."""

    seed: Seed
    output: dict[str, Any]


def magpie_graph(params: Params) -> Any:
    """One node: continue the template's start for a user's turn."""

    async def sample(state: Asked, runtime: Runtime[Context]) -> Asked:
        data = state["seed"].data
        source = DocumentSource.model_validate(data["source"])
        sampling = Sampling(temperature=source.temperature, max_tokens=params.most, stop=source.stop)
        replies = await ask(
            runtime.context,
            source.role,
            [{"role": "text", "content": source.prefix}],
            sampling,
            agent="magpie",
            first=data["number"],
        )
        text = replies[0].text.strip()
        # A turn that ends in a colon announces what is not there: the paper's own filter.
        if replies[0].truncated or len(text.split()) < FEWEST or text.endswith(":"):
            raise Dropped("no-turn", "sample", "no usable turn was made up", raw=text)
        return {"output": {"text": text, "role": source.role, "licence": source.licence}}

    builder = StateGraph(Asked, context_schema=Context)
    builder.add_node("sample", sample)
    builder.add_edge(START, "sample")
    builder.add_edge("sample", END)
    return builder.compile(name="agentinstruct-magpie")


async def made_up(session: Session, params: Params) -> list[Passage]:
    """The turns of all `magpie` sources, without near-duplicates; none where there is no such source.

    Raises `DataError` for a role that is not there."""
    sources = [source for source in params.seeds if source.source == "magpie"]
    for source in sources:
        if source.role not in session.models:
            raise DataError(
                f"magpie is to sample from the role {source.role!r}, which nobody plays",
                f"name one of: {', '.join(session.models)}",
            )
    seeds = [
        Seed.of(source=source.model_dump(mode="json"), number=number)
        for source in sources
        for number in range(source.size or 100)
    ]
    if not seeds:
        return []
    known = NearDuplicates(params.near_duplicates or 1.0)
    results = await session.stage("magpie", magpie_graph(params), seeds, total=len(seeds))
    said = [result.output for result in results if result.output]
    return [
        Passage.of(
            one["text"],
            "prompt",
            f"magpie:{one['role']}",
            licence=one["licence"],
            tokens=token_estimate(one["text"]),
        )
        for one in said
        if known.add(one["text"])
    ]
