"""The third flow: a suggester proposes how to take each task further, an editor rewrites it."""

from __future__ import annotations

import asyncio
import random
from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from synth.chat import Dropped
from synth.engine import Context
from synth.flows.agentinstruct.agents import Agents, Suggestion
from synth.flows.agentinstruct.instruct import Written, arranged, mended
from synth.flows.agentinstruct.item import Item, Making, rejected
from synth.flows.agentinstruct.params import Params
from synth.flows.agentinstruct.skill import Skill

__all__ = ["refine_graph"]


def refine_graph(params: Params, skills: dict[str, Skill]) -> Any:
    """suggest and edit, `refinements` times over; every task before it stays, and is its parent."""
    agents = Agents(params)
    rounds = 0 if params.arm == "control-unrefined" else params.refinements

    async def step(state: Making, runtime: Runtime[Context]) -> Making:
        skill = skills[state["seed"].data["skill"]]
        work = [_refined(agents, runtime.context, skill, item) for item in state["frontier"]]
        parts = await asyncio.gather(*work)
        known = {item.id for item in state["items"]}
        fresh = list({item.id: item for items, _ in parts for item in items if item.id not in known}.values())
        return {
            "items": [*state["items"], *fresh],
            "frontier": fresh,
            "round": state["round"] + 1,
            "rejections": [rejection for _, rejections in parts for rejection in rejections],
        }

    def way(state: Making) -> Literal["step", "__end__"]:
        wanted = skills[state["seed"].data["skill"]].refinements and state["frontier"]
        return "step" if wanted and state["round"] < rounds else "__end__"

    builder = StateGraph(Making, context_schema=Context)
    builder.add_node("step", step)
    builder.add_conditional_edges(START, way, ["step", END])
    builder.add_conditional_edges("step", way, ["step", END])
    return builder.compile(name="agentinstruct-refine")


async def _refined(agents: Agents, context: Context, skill: Skill, item: Item) -> Written:
    """The tasks made from one task, each a child of it."""
    # In an order of chance: a model likes best what it reads first.
    goals = random.Random(item.id).sample(skill.refinements, len(skill.refinements))
    try:
        said = await agents.suggest(
            context, skill=skill, item=item, goals=goals, count=context.params.suggestions
        )
    except Dropped as drop:
        return [], [rejected(context, skill, item.type.name, drop, item)]
    taken = said.suggestions[: context.params.suggestions]
    parts = [await _edited(agents, context, skill, item, one) for one in taken]
    return [one for items, _ in parts for one in items], [drop for _, drops in parts for drop in drops]


async def _edited(agents: Agents, context: Context, skill: Skill, item: Item, taken: Suggestion) -> Written:
    goal = next((goal for goal in skill.refinements if goal.name == taken.goal), None)
    try:
        if goal is None:
            raise Dropped("no-goal", "edit", f"there is no goal {taken.goal!r}", raw=taken.change)
        said = await agents.edit(item.type.form)(
            context,
            skill=skill,
            item=item,
            task=item.draft.model_dump_json(exclude={"documents"}),
            change=taken.change,
            goal=goal.name,
            hint=item.form.task_hint,
        )
        text = item.text if item.type.form == "tools" else said.text.strip() or item.text
        draft = arranged(context, item.type, said.task, text, item.passage)
        child = Item(item.type, draft, text, item, goal.name, goal.expect, item.passage)
        if (child.text, child.draft) == (item.text, item.draft):
            raise Dropped("unchanged", "edit", "the editor changed nothing")
    except Dropped as drop:
        return [], [rejected(context, skill, item.type.name, drop, item)]
    if context.arm == "faithful":
        return [child], []
    return await mended(agents, context, skill, child)
