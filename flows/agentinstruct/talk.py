"""Answers of several turns: a conversation, and a request served by calling simulated functions."""

from __future__ import annotations

from typing import Any

import orjson

from synth.chat import Dropped
from synth.config import Evaluate
from synth.engine import Context
from synth.flows.agentinstruct.agents import Agents
from synth.flows.agentinstruct.forms.talk import ToolStep
from synth.flows.agentinstruct.item import Answered, Item, Turn
from synth.flows.agentinstruct.simulate import Api, call, schema_of
from synth.flows.agentinstruct.skill import Skill
from synth.flows.agentinstruct.transform import apis_of
from synth.flows.answering import question_messages
from synth.records import Message

__all__ = ["converse", "use_tools"]

INTRODUCTION = (
    "You can call these functions. To call one, write "
    '<tool_call>{"name": ..., "arguments": {...}}</tool_call>, one a line; its result comes back to you. '
    "If a value is missing, ask for it; if no function can do it, say so.\n\n"
)


async def converse(
    agents: Agents, context: Context, skill: Skill, item: Item, settings: Evaluate
) -> Answered:
    """Each turn of the user is answered with all before it in view, and not with those to come."""
    history: list[Message] = []
    turns: list[Turn] = []
    for said in item.draft.turns:  # type: ignore[attr-defined]
        if history:
            history.append({"role": "user", "content": said})
        else:
            first = f"{item.text}\n\n{said}" if skill.context else said
            history = question_messages(first, settings)
        answer = await _reply(agents, context, skill, item, said, history[:-1])
        turns.append(Turn(list(history), answer.answer.strip()))
        history.append({"role": "assistant", "content": answer.answer.strip()})
    return Answered(item, answer, turns)


async def _reply(
    agents: Agents, context: Context, skill: Skill, item: Item, said: str, history: list[Message]
) -> Any:
    """What the assistant says to the last turn; asked for once more if something is wrong with it."""
    fault = ""
    for _ in range(2):
        answer: Any = await agents.respond(item.type.form)(
            context, skill=skill, form=item.form, text=item.text, task=said, history=history, fault=fault
        )
        fault = item.form.wrong(answer, item.draft, item.text)
        if not fault:
            return answer
    turn = f"turn {len(history) // 2 + 1}: {fault}"
    raise Dropped("failed-check", "answer", turn, raw=answer.model_dump_json(), attempts=2)


async def use_tools(
    agents: Agents, context: Context, skill: Skill, item: Item, settings: Evaluate
) -> Answered:
    """Calls are executed against the simulation until the assistant speaks to the user. The calls
    made must be those the type of task is for. Raises `Dropped("failed-check")`."""
    hidden = item.draft.hidden  # type: ignore[attr-defined]
    offered = [api for api in apis_of(item.text) if api.name not in hidden]
    history = _opening(offered, item, settings)
    turns: list[Turn] = []
    made: list[str] = []
    while len(turns) < context.params.steps:
        step, results = await _step(agents, context, skill, item, offered, history)
        says = _written(step)
        turns.append(Turn(list(history), says))
        history.append({"role": "assistant", "content": says})
        if not step.calls:
            fault = _fits(item, made)
            if fault and context.arm != "faithful":
                raise Dropped("failed-check", "answer", fault, raw=says)
            return Answered(item, step, turns, {"calls": len(made)})
        made += [one.name for one in step.calls]
        history += [{"role": "tool", "content": orjson.dumps(result).decode()} for result in results]
    raise Dropped("failed-check", "answer", f"no answer after {len(turns)} turns", raw=turns[-1].says)


async def _step(
    agents: Agents, context: Context, skill: Skill, item: Item, offered: list[Api], history: list[Message]
) -> tuple[ToolStep, list[dict[str, Any]]]:
    """One turn with the results of its calls; calls the simulation refuses are asked for once more."""
    fault = ""
    for _ in range(2):
        step: Any = await agents.respond("tools")(
            context,
            skill=skill,
            form=item.form,
            text="",
            task=item.draft.instruction,
            history=history,
            fault=fault,
        )
        done = [call(offered, one.name, one.arguments) for one in step.calls]
        fault = next((problem for _, problem in done if problem), "")
        fault = fault or ("" if step.calls or step.answer.strip() else "neither a call nor an answer")
        if not fault:
            return step, [result for result, _ in done]
    raise Dropped("failed-check", "answer", fault, raw=step.model_dump_json(), attempts=2)


def _opening(offered: list[Api], item: Item, settings: Evaluate) -> list[Message]:
    listed = "\n".join(orjson.dumps(schema_of(api)).decode() for api in offered)
    user = question_messages(item.form.show(item.draft), settings)[-1]
    return [{"role": "system", "content": INTRODUCTION + listed}, user]


def _written(step: ToolStep) -> str:
    """As the student will write it."""
    calls = [f"<tool_call>{orjson.dumps(one.model_dump()).decode()}</tool_call>" for one in step.calls]
    return "\n".join(calls) or step.answer.strip()


def _fits(item: Item, made: list[str]) -> str:
    """Whether the calls made are those this type of task is for."""
    needs = set(item.draft.needs) - set(item.draft.hidden)  # type: ignore[attr-defined]
    if item.type.calls == "none":
        return f"it calls {', '.join(made)} where nothing should be called" if made else ""
    missing, more = needs - set(made), set(made) - needs
    if missing:
        return f"{', '.join(sorted(missing))} is not called"
    return f"{', '.join(sorted(more))} is called and not needed" if more and item.type.calls == "one" else ""
