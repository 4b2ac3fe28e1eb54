"""STAT's first stage: what does the student fail, and for want of which skills?"""

from __future__ import annotations

from typing import Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from synth.chat import Dropped
from synth.config import Evaluate
from synth.engine import Context, Graph
from synth.flows.stat.catalogue import Catalogue
from synth.flows.stat.detect import Detected, Detecting
from synth.flows.stat.labels import Labelling
from synth.flows.stat.params import Params

__all__ = ["profile_graph"]


def profile_graph(params: Params, settings: Evaluate) -> Graph:
    """answer -> verify -> detect -> label, the last only where the question is difficult.

    A seed is a `Question`. `output` holds the fields of `Judged` and `difficult`, and for a
    difficult question `skills`, the missing ones, all from the context's `catalogue`; none
    where the teacher says that the answer is right, and its verdict counts or it names none.
    """
    nodes = Detecting(params, settings)
    labelling = Labelling(params)

    async def label(state: Detected, runtime: Runtime[Context]) -> Detected:
        catalogue: Catalogue = runtime.context.extras["catalogue"]
        found = await labelling(runtime.context, catalogue, state["question"], state["response"])
        output = {
            **state["output"],
            "skills": found.skills,
            "reason": found.reason,
            "called_right": found.called_right,
            "overlap": found.overlap,
            "strangers": found.strangers,
        }
        if found.called_right and (params.drops_called_right or not found.skills):
            dropped = Dropped("called-right", "label", found.reason, raw=state["response"])
            context = runtime.context
            rejection = dropped.rejection(context.seed_id, context.round, context.stage)
            return {"output": {**output, "skills": []}, "rejections": [rejection]}
        if not found.skills:
            what = "no skill of the catalogue was named" + (
                " by a majority" if params.label_votes > 1 else ""
            )
            raise Dropped("no-skill", "label", what, raw=str(found.strangers))
        return {"output": output}

    def next_step(state: Detected) -> Literal["label", "__end__"]:
        return "label" if state["output"]["difficult"] else "__end__"

    builder = StateGraph(Detected, context_schema=Context)
    builder.add_node("answer", nodes.answer_often if nodes.often else nodes.answer)
    builder.add_node("verify", nodes.verify)
    builder.add_node("detect", nodes.detect)
    builder.add_node("label", label)
    builder.add_edge(START, "answer")
    builder.add_edge("answer", "verify")
    builder.add_edge("verify", "detect")
    builder.add_conditional_edges("detect", next_step)
    builder.add_edge("label", END)
    return builder.compile(name="stat-profile")
