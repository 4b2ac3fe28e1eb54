"""The search at inference time: a response that the judge refuses is refined before it is given."""

from __future__ import annotations

from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from synth.config import Evaluate
from synth.engine import Context, Graph
from synth.flows.answering import Answering
from synth.flows.spar.judge import Judge
from synth.flows.spar.params import Params
from synth.flows.spar.refine import Refiner
from synth.flows.spar.tree import Node
from synth.records import Judged, Question, Seed
from synth.verify import judge as verify

__all__ = ["answer_graph"]


class Searching(TypedDict, total=False):
    """State of the graph; `output` is what the verifier says of both answers."""

    seed: Seed
    question: Question
    response: str
    truncated: bool
    judged: Judged
    answer: str
    output: dict[str, Any]


def answer_graph(params: Params, settings: Evaluate) -> Graph:
    """answer -> verify -> search -> compare: the exam's greedy answer, and the one the search gives."""
    exam = Answering(settings)
    judge = Judge(params)
    refiner = Refiner(params, judge)

    async def search(state: Searching, runtime: Runtime[Context]) -> Searching:
        """The answer itself if it is judged right, else the best node of its tree, if any is better."""
        question, response = state["question"], state["response"]
        judgement = await judge(runtime.context, question, response, params.rejudge)
        if judgement.verdict is not False:
            return {"answer": response}
        tree = await refiner.search(runtime.context, question, Node(response, judgement))
        best = tree.nodes[tree.best or 0]
        return {"answer": best.response if best.value else response}

    async def compare(state: Searching, runtime: Runtime[Context]) -> Searching:
        """Both answers before the verifier."""
        plain, answer = state["judged"], state["answer"]
        cut = state["truncated"] and answer == state["response"]
        searched = await verify(answer, state["question"], settings.verifier, truncated=cut)
        return {"output": {"id": searched.id, "plain": plain.score, "searched": searched.score}}

    builder = StateGraph(Searching, context_schema=Context)
    builder.add_node("answer", exam.answer)
    builder.add_node("verify", exam.verify)
    builder.add_node("search", search)
    builder.add_node("compare", compare)
    for before, after in (
        (START, "answer"),
        ("answer", "verify"),
        ("verify", "search"),
        ("search", "compare"),
        ("compare", END),
    ):
        builder.add_edge(before, after)
    return builder.compile(name="spar-answer")
