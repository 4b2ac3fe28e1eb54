"""Dissatisfaction where there are no users: one is simulated, and complains of what a checker missed."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import BaseModel

from synth.agents import Agent, ask
from synth.chat import Dropped, Reply
from synth.config import Evaluate
from synth.engine import Context, Graph
from synth.flows.answering import question_messages
from synth.flows.drift.guide import Guide
from synth.flows.drift.params import Params
from synth.flows.drift.signals import Signal
from synth.flows.drift.user import KINDS
from synth.records import Message, Question, Sampling, Seed
from synth.verify.constraints import check, describe

__all__ = ["Complaint", "passes", "simulator_graph"]

COMPLAINT_TOKENS = 128
"""Longest complaint of a simulated user that is a model."""
UNFINISHED = "Your answer broke off. Keep it short enough to finish it."
"""What is missed by a reply that the token limit cut off."""


class Complaint(BaseModel):
    """What the simulated user says."""

    complaint: str


class Simulating(TypedDict, total=False):
    """State of the graph; `output` holds the signal found."""

    seed: Seed
    question: Question
    prompt: list[Message]
    reply: Reply
    missed: dict[str, str]
    kind: str
    feedback: str
    output: dict[str, Any]


def passes(response: str, constraints: list[dict[str, Any]]) -> bool:
    """Whether a response follows all constraints, as the exam counts it: what frames it is forgiven."""
    return all(check(response, constraints).loose)


def _missed(reply: Reply, constraints: list[dict[str, Any]]) -> dict[str, str]:
    """Type and wording of everything a reply misses."""
    verdicts = check(reply.text, constraints).loose
    missed = {one["type"]: describe(one) for one, met in zip(constraints, verdicts, strict=True) if not met}
    return {**missed, "unfinished": UNFINISHED} if reply.truncated else missed


def simulator_graph(params: Params, settings: Evaluate, guide: Guide) -> Graph:
    """reply -> complain -> revise, the last two only where the reply misses a constraint.

    A seed is a `Question` with constraints; `output` is `{"signals": [one]}`. A revision that
    follows all of them makes the signal a repair.
    """
    nodes = _Nodes(params, settings, guide)

    def next_step(state: Simulating) -> Literal["complain", "__end__"]:
        return "complain" if state["missed"] else "__end__"

    builder = StateGraph(Simulating, context_schema=Context)
    builder.add_node("reply", nodes.reply)
    builder.add_node("complain", nodes.complain)
    builder.add_node("revise", nodes.revise)
    builder.add_edge(START, "reply")
    builder.add_conditional_edges("reply", next_step)
    builder.add_edge("complain", "revise")
    builder.add_edge("revise", END)
    return builder.compile(name="drift-signals")


class _Nodes:
    def __init__(self, params: Params, settings: Evaluate, guide: Guide) -> None:
        self.settings = settings
        self.guide = guide
        self.sampling = Sampling(
            temperature=params.temperature, top_p=params.top_p, max_tokens=params.max_tokens
        )
        self.user = Agent("complain", "user", "complain", Complaint, Sampling(max_tokens=COMPLAINT_TOKENS))

    async def reply(self, state: Simulating, runtime: Runtime[Context]) -> Simulating:
        """The student's first reply, checked."""
        question = Question.model_validate(state["seed"].data)
        prompt = question_messages(question.question, self.settings)
        [reply] = await ask(runtime.context, "student", prompt, self.sampling, agent="reply")
        if not reply.text.strip():
            raise Dropped("empty", "reply", "the student said nothing")
        missed = _missed(reply, question.meta["constraints"])
        told: Simulating = {"question": question, "prompt": prompt, "reply": reply, "missed": missed}
        return told if missed else {**told, "output": _output(told, satisfied=True)}

    async def complain(self, state: Simulating, runtime: Runtime[Context]) -> Simulating:
        """The user's complaint, of a kind drawn by chance."""
        kind = runtime.context.rng.choice(KINDS)
        said = await self.user(
            runtime.context,
            question=state["question"].question,
            reply=state["reply"].text,
            kind=kind,
            missed=list(state["missed"].values()),
        )
        return {"kind": kind, "feedback": said.complaint.strip()}

    async def revise(self, state: Simulating, runtime: Runtime[Context]) -> Simulating:
        """The student's reply to the complaint: where it follows everything, it is the repair."""
        output = _output(state, satisfied=False)
        signal = Signal.model_validate(output["signals"][0])
        messages = self.guide.chat(signal)
        [reply] = await ask(runtime.context, "student", messages, self.sampling, agent="revise")
        if not reply.truncated and passes(reply.text, signal.constraints):
            signal = signal.model_copy(update={"repair": reply.text})
        return {"output": {"signals": [signal.model_dump()]}}


def _output(state: Simulating, *, satisfied: bool) -> dict[str, Any]:
    question, reply = state["question"], state["reply"]
    signal = Signal.of(
        state["prompt"],
        reply.text,
        satisfied=satisfied,
        feedback=state.get("feedback", ""),
        wish=" ".join(state["missed"].values()),
        constraints=question.meta["constraints"],
        missed=tuple(sorted(state["missed"])),
        complaint=state.get("kind", ""),
        finished=not reply.truncated,
        parents=(question.id,),
        family=question.family,
        licence=question.licence,
    )
    return {"signals": [signal.model_dump()]}
