"""STAT's first stage: what does the student fail, and for want of which skills?"""

from __future__ import annotations

from typing import Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import BaseModel

from synth.agents import Agent
from synth.chat import Dropped
from synth.config import Evaluate
from synth.engine import Context, Graph
from synth.flows.answering import Answered, Answering
from synth.flows.stat.params import Params
from synth.records import Sampling

__all__ = ["MissingSkills", "profile_graph"]


class MissingSkills(BaseModel):
    """What the teacher says of a failed question; it does not see the right answer."""

    correct: bool
    reason: str = ""
    skills: list[str]


def profile_graph(params: Params, settings: Evaluate) -> Graph:
    """answer -> verify -> label, the last only where the answer is wrong.

    A seed is a `Question`. `output` holds the fields of `Judged`, and for a failed question
    `skills`, the missing ones, all from the catalogue in the context's extras (`skills`).
    """
    nodes = Answering(settings)
    teacher = Agent("label", "teacher", "label_skills", MissingSkills, Sampling(max_tokens=params.max_tokens))

    async def label(state: Answered, runtime: Runtime[Context]) -> Answered:
        catalogue: tuple[str, ...] = runtime.context.extras["skills"]
        said = await teacher(
            runtime.context,
            skills=catalogue,
            question=state["question"].question,
            response=state["response"],
            most=params.most_skills,
        )
        known = [skill for skill in dict.fromkeys(said.skills) if skill in catalogue]
        if not known:
            raise Dropped("no-skill", "label", "no skill of the catalogue was named", raw=str(said.skills))
        missing = known[: params.most_skills]
        return {"output": {**state["output"], "skills": missing, "reason": said.reason}}

    def next_step(state: Answered) -> Literal["label", "__end__"]:
        return "__end__" if state["judged"].correct else "label"

    builder = StateGraph(Answered, context_schema=Context)
    builder.add_node("answer", nodes.answer)
    builder.add_node("verify", nodes.verify)
    builder.add_node("label", label)
    builder.add_edge(START, "answer")
    builder.add_edge("answer", "verify")
    builder.add_conditional_edges("verify", next_step)
    builder.add_edge("label", END)
    return builder.compile(name="stat-profile")
