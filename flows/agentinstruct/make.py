"""The whole graph of one seed and skill: three flows as sub-graphs, then answers and what is kept."""

from __future__ import annotations

import asyncio
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from synth.config import Evaluate
from synth.engine import Context
from synth.flows.agentinstruct.instruct import instruct_graph
from synth.flows.agentinstruct.item import Making
from synth.flows.agentinstruct.keep import discriminated, samples_of
from synth.flows.agentinstruct.params import Params
from synth.flows.agentinstruct.refine import refine_graph
from synth.flows.agentinstruct.respond import respond_graph
from synth.flows.agentinstruct.skill import Skill
from synth.flows.agentinstruct.transform import transform_graph

__all__ = ["make_graph"]


def make_graph(params: Params, skills: dict[str, Skill], settings: Evaluate) -> Any:
    """transform -> instruct -> refine -> respond -> discriminate -> keep."""

    async def discriminate(state: Making, runtime: Runtime[Context]) -> Making:
        if not params.discriminate:
            return {}
        skill = skills[state["seed"].data["skill"]]
        work = [discriminated(runtime.context, skill, one, settings) for one in state["answered"]]
        parts = await asyncio.gather(*work)
        return {
            "answered": [one for one, _ in parts if one is not None],
            "rejections": [drop for _, drops in parts for drop in drops],
        }

    async def keep(state: Making, runtime: Runtime[Context]) -> Making:
        data = state["seed"].data
        made = [
            sample
            for one in state["answered"]
            for sample in samples_of(runtime.context, skills[data["skill"]], one, state["seed"])
        ]
        counts = {"items": len(state["items"]), "kept": len(state["answered"])}
        return {
            "samples": made,
            "output": {"skill": data["skill"], "transformation": data["transformation"], **counts},
        }

    builder = StateGraph(Making, context_schema=Context)
    builder.add_node("transform", transform_graph(params, skills))
    builder.add_node("instruct", instruct_graph(params, skills))
    builder.add_node("refine", refine_graph(params, skills))
    builder.add_node("respond", respond_graph(params, skills, settings))
    builder.add_node("discriminate", discriminate)
    builder.add_node("keep", keep)
    steps = ("transform", "instruct", "refine", "respond", "discriminate", "keep")
    for here, there in zip((START, *steps), (*steps, END), strict=True):
        builder.add_edge(here, there)
    return builder.compile(name="agentinstruct-make")
