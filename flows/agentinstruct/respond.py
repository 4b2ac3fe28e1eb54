"""The response agents: they answer tasks they did not write, several times where answers can be
compared, and what an answer must be is checked before it is kept."""

from __future__ import annotations

import asyncio
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from synth.chat import Dropped
from synth.config import Evaluate
from synth.engine import Context
from synth.flows.agentinstruct.agents import Agents
from synth.flows.agentinstruct.check import agreed, differs, wrong
from synth.flows.agentinstruct.forms import Answer
from synth.flows.agentinstruct.item import Answered, Item, Making, Turn, rejected
from synth.flows.agentinstruct.params import Params
from synth.flows.agentinstruct.skill import Skill
from synth.flows.agentinstruct.talk import converse, use_tools
from synth.flows.answering import question_messages

__all__ = ["respond_graph", "task_of"]

ABSTAINS = "The text does not say."
"""What is learnt as the answer to an unanswerable task, where no reason was given."""


def respond_graph(params: Params, skills: dict[str, Skill], settings: Evaluate) -> Any:
    """answer -> compare: answers that stand by themselves, then against those of their parents."""
    agents = Agents(params)

    async def answer(state: Making, runtime: Runtime[Context]) -> Making:
        skill = skills[state["seed"].data["skill"]]
        work = [_answered(agents, runtime.context, skill, item, settings) for item in state["items"]]
        parts = await asyncio.gather(*work)
        return {
            "answered": [part for part in parts if isinstance(part, Answered)],
            "rejections": [
                rejected(runtime.context, skill, item.type.name, part, item)
                for item, part in zip(state["items"], parts, strict=True)
                if isinstance(part, Dropped)
            ],
        }

    async def compare(state: Making, runtime: Runtime[Context]) -> Making:
        if params.arm == "faithful":
            return {}
        skill = skills[state["seed"].data["skill"]]
        known = {one.item.id: one for one in state["answered"]}
        kept, rejections = [], []
        for one in state["answered"]:
            fault = differs(one, known)
            if fault is None:
                kept.append(one)
            else:
                rejections.append(rejected(runtime.context, skill, one.item.type.name, fault, one.item))
        return {"answered": kept, "rejections": rejections}

    builder = StateGraph(Making, context_schema=Context)
    builder.add_node("answer", answer)
    builder.add_node("compare", compare)
    builder.add_edge(START, "answer")
    builder.add_edge("answer", "compare")
    builder.add_edge("compare", END)
    return builder.compile(name="agentinstruct-respond")


def task_of(item: Item, skill: Skill) -> str:
    """What the student reads: the text, where the skill shows it, and the task."""
    shown = item.form.show(item.draft)
    return f"{item.text.strip()}\n\n{shown}" if skill.context else shown


async def _answered(
    agents: Agents, context: Context, skill: Skill, item: Item, settings: Evaluate
) -> Answered | Dropped:
    """The item with its answer, or why it has none."""
    try:
        if item.type.form == "dialogue":
            return await converse(agents, context, skill, item, settings)
        if item.type.form == "tools":
            return await use_tools(agents, context, skill, item, settings)
        return await _compared(agents, context, skill, item, settings)
    except Dropped as drop:
        return drop


async def _compared(
    agents: Agents, context: Context, skill: Skill, item: Item, settings: Evaluate
) -> Answered:
    params: Params = context.params
    count = 1
    if context.arm != "faithful":
        compared = params.samples if item.form.agrees else 1
        count = params.abstentions if item.wants_abstention else compared
    tries = await asyncio.gather(*(_try(agents, context, skill, item, n) for n in range(count)))
    notes: dict[str, Any] = {}
    if context.arm == "faithful":
        best = tries[0][0]
    else:
        best, notes = agreed(item, tries, params)
    return Answered(
        item, best, [Turn(question_messages(task_of(item, skill), settings), said(best, item))], notes
    )


async def _try(agents: Agents, context: Context, skill: Skill, item: Item, number: int) -> tuple[Answer, str]:
    """One independent answer and what is wrong with it; a wrong one is asked for once more."""
    fault = ""
    for _ in range(1 if context.arm == "faithful" else 2):
        answer = await agents.respond(item.type.form)(
            context,
            sample=number,
            skill=skill,
            form=item.form,
            text="" if item.type.form == "cited" else item.text,
            task=item.form.show(item.draft),
            history=[],
            fault=fault,
        )
        fault = await wrong(item, answer, context.params.sandbox)
        if not fault:
            break
    return answer, fault


def said(answer: Answer, item: Item) -> str:
    """What the student learns to say."""
    if not answer.answerable:
        return answer.reason.strip() or ABSTAINS
    told, reason = item.form.tell(answer, item.draft), answer.reason.strip()
    return f"{reason}\n\n{told}" if reason and item.form.reasons else told
