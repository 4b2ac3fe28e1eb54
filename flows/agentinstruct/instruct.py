"""The second flow: one instruction agent for each type writes a list of tasks about the text."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from synth.chat import Dropped
from synth.engine import Context
from synth.flows.agentinstruct.agents import Agents
from synth.flows.agentinstruct.forms import FORMS
from synth.flows.agentinstruct.item import Item, Making, rejected
from synth.flows.agentinstruct.params import Params
from synth.flows.agentinstruct.skill import Skill, TaskType
from synth.records import Rejection

__all__ = ["fault_of", "instruct_graph", "mended"]

Written = tuple[list[Item], list[Rejection]]


def instruct_graph(params: Params, skills: dict[str, Skill]) -> Any:
    """write -> check: tasks of all the seed's types; what is faulty is mended once or rejected."""
    agents = Agents(params)

    async def write(state: Making, runtime: Runtime[Context]) -> Making:
        data, context = state["seed"].data, runtime.context
        skill = skills[data["skill"]]
        text, passage = state["text"], data["passage"]["text"]
        work = [_of_type(agents, context, skill, skill.type(name), text, passage) for name in data["types"]]
        return _joined(await asyncio.gather(*work))

    async def check(state: Making, runtime: Runtime[Context]) -> Making:
        if params.arm == "faithful":
            return {"frontier": state["items"], "round": 0}
        skill = skills[state["seed"].data["skill"]]
        work = [mended(agents, runtime.context, skill, item) for item in state["items"]]
        sound = _joined(await asyncio.gather(*work))
        return {**sound, "frontier": sound["items"], "round": 0}

    builder = StateGraph(Making, context_schema=Context)
    builder.add_node("write", write)
    builder.add_node("check", check)
    builder.add_edge(START, "write")
    builder.add_edge("write", "check")
    builder.add_edge("check", END)
    return builder.compile(name="agentinstruct-instruct")


async def _of_type(
    agents: Agents, context: Context, skill: Skill, kind: TaskType, text: str, passage: str
) -> Written:
    """The tasks of one agent. What cannot be had is a rejection: the other agents go on."""
    form = FORMS[kind.form]
    try:
        said = await agents.instruct(kind.form)(
            context, skill=skill, type=kind, text=text, count=context.params.tasks, hint=form.task_hint
        )
        if not said.tasks:
            raise Dropped("no-task", "write", "the agent found nothing to ask about this text")
    except Dropped as drop:
        return [], [rejected(context, skill, kind.name, drop)]
    drafts = [arranged(context, kind, draft, text, passage) for draft in said.tasks[: context.params.tasks]]
    items = [Item(kind, draft, text, passage=passage) for draft in drafts]
    return list({item.id: item for item in items}.values()), []


def arranged(context: Context, kind: TaskType, draft: Any, text: str, passage: str) -> Any:
    """The draft as it will be shown. Documents of a retrieval task are put in place here: similar
    ones around the right one, or without it where the right answer is to abstain. The passage that
    the right one was made of would answer as well: it is never among them."""
    draft = FORMS[kind.form].arrange(draft)
    if kind.form != "cited":
        return draft
    others = context.extras["shelf"].similar(text, (text, passage), context.params.documents)
    abstains = kind.expect == "abstain"
    documents = others if abstains else [text, *others[: context.params.documents - 1]]
    random.Random(draft.instruction).shuffle(documents)
    return draft.model_copy(update={"documents": documents})


def fault_of(item: Item) -> str:
    """What is wrong with a task, or nothing."""
    return item.form.fault(item.draft, item.text) or _unlisted(item)


def _unlisted(item: Item) -> str:
    """Tool use: the functions a task needs and hides must be there, as many as its type says."""
    if item.type.form != "tools":
        return ""
    from synth.flows.agentinstruct.transform import apis_of

    names = {api.name for api in apis_of(item.text)}
    needs, hidden = list(item.draft.needs), list(item.draft.hidden)  # type: ignore[attr-defined]
    if not needs or not set(needs) | set(hidden) <= names or not set(hidden) <= set(needs):
        return f"it needs {needs} and hides {hidden}; the functions are {', '.join(sorted(names))}"
    most_hidden = item.type.name.startswith(("unlisted", "some_unlisted"))
    if bool(hidden) != most_hidden:
        return "a function is hidden that must be offered" if hidden else "no function is hidden"
    fits = {"one": len(needs) == 1, "many": len(needs) > 1}.get(item.type.calls, True)
    return "" if fits else f"it needs {len(needs)} functions, not {item.type.calls}"


async def mended(agents: Agents, context: Context, skill: Skill, item: Item) -> Written:
    """The task if it is sound, else as the editor mended it, else a rejection."""
    fault = fault_of(item)
    if not fault:
        return [item], []
    try:
        said = await agents.edit(item.type.form)(
            context,
            skill=skill,
            item=item,
            task=item.draft.model_dump_json(exclude={"documents"}),
            change=f"Mend this fault and leave the rest as it is: {fault}.",
            goal="mend",
            hint=item.form.task_hint,
        )
        draft = arranged(context, item.type, said.task, item.text, item.passage)
        better = replace(item, draft=draft)
        fault = fault_of(better)
        if fault:
            raise Dropped("faulty-task", "check", fault, raw=better.draft.model_dump_json(), attempts=2)
    except Dropped as drop:
        return [], [rejected(context, skill, item.type.name, drop, item)]
    return [better], []


def _joined(parts: list[Written]) -> Making:
    return {
        "items": [item for items, _ in parts for item in items],
        "rejections": [rejection for _, rejections in parts for rejection in rejections],
    }
