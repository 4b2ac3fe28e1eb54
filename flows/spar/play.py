"""One prompt through SPaR: respond, judge, pick a failed response, refine it in a tree, pair, collect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from synth.config import Evaluate
from synth.engine import Context, Graph
from synth.flows.spar.judge import Judge
from synth.flows.spar.pairs import independent_pair, pair_sample, refined_pair
from synth.flows.spar.params import Params
from synth.flows.spar.refine import Refiner
from synth.flows.spar.refiner_data import lessons
from synth.flows.spar.sample import Response, pick, respond, unfit
from synth.flows.spar.tree import Node, Tree
from synth.records import Question, Rejection, Sample, Seed

__all__ = ["Playing", "play_graph"]


class Playing(TypedDict, total=False):
    """State of the graph. A seed is a `Question`; `root` is the failed response's index."""

    seed: Seed
    question: Question
    responses: list[Response]
    root: int | None
    tree: Tree | None
    samples: list[Sample]
    rejections: list[Rejection]
    output: dict[str, Any]


def play_graph(params: Params, settings: Evaluate) -> Graph:
    """respond -> pick -> search -> pair -> collect; without a failed response straight to the end.

    `output` holds the judged responses, the index of the one picked, and the tree.
    """
    nodes = _Nodes(params, settings)

    def after_pick(state: Playing) -> Literal["search", "pair", "collect"]:
        if state["root"] is None:
            return "collect"
        return "pair" if params.arm == "control-independent" else "search"

    builder = StateGraph(Playing, context_schema=Context)
    builder.add_node("respond", nodes.respond)
    builder.add_node("pick", nodes.pick)
    builder.add_node("search", nodes.search)
    builder.add_node("pair", nodes.pair)
    builder.add_node("collect", nodes.collect)
    builder.add_edge(START, "respond")
    builder.add_edge("respond", "pick")
    builder.add_conditional_edges("pick", after_pick)
    builder.add_edge("search", "pair")
    builder.add_edge("pair", "collect")
    builder.add_edge("collect", END)
    return builder.compile(name="spar-play")


class _Nodes:
    def __init__(self, params: Params, settings: Evaluate) -> None:
        self.params = params
        self.settings = settings
        self.judge = Judge(params)
        self.refiner = Refiner(params, self.judge)

    async def respond(self, state: Playing, runtime: Runtime[Context]) -> Playing:
        """The actor's samples, each with its judgement."""
        question = Question.model_validate(state["seed"].data)
        responses = await respond(runtime.context, question, self.params, self.settings, self.judge)
        return {"question": question, "responses": responses}

    async def pick(self, state: Playing, runtime: Runtime[Context]) -> Playing:
        """One response at random of those judged wrong. Without one there is nothing to refine, which is
        a rejection unless all were judged right."""
        responses = state["responses"]
        root = pick(responses, False, self.params, runtime.context.rng)
        if root is None and (why := self._why_none(responses)):
            reason, odd, told = why
            rejection = _unpaired(reason, runtime.context, state["question"], odd, told)
            return {"root": None, "rejections": [rejection]}
        return {"root": root}

    def _why_none(self, responses: Sequence[Response]) -> tuple[str, Response, str] | None:
        """Why no response was picked: reason, the response it is about, more of it; None if all are right."""
        for response in responses:
            fault = unfit(response, self.params)
            if response.judgement.verdict is False and fault:
                return fault, response, ""
        for response in responses:
            if response.judgement.verdict is None:
                told = f"{response.judgement.said} of {self.params.votes} votes could be read"
                return "undecided", response, told
        return None

    async def search(self, state: Playing, runtime: Runtime[Context]) -> Playing:
        """The tree of refinements that grows from it."""
        root = _root(state)
        node = Node(root.text, root.judgement, key=root.key)
        return {"tree": await self.refiner.search(runtime.context, state["question"], node)}

    async def pair(self, state: Playing, runtime: Runtime[Context]) -> Playing:
        """What the actor will learn from, or a rejection that says why there is nothing."""
        context, question, root = runtime.context, state["question"], _root(state)
        tree = state.get("tree")
        if tree is not None:
            pair = refined_pair(root, tree)
        else:
            pair = independent_pair(state["responses"], root, self.params, context.rng)
        if pair is None:
            reason, why = ("none-right", "") if tree is None else ("not-refined", tree.told)
            return {"rejections": [_unpaired(reason, context, question, root, why)]}
        made = pair_sample(pair, context, question, self.params, self.settings)
        return {"samples": [made]} if isinstance(made, Sample) else {"rejections": [made]}

    async def collect(self, state: Playing, runtime: Runtime[Context]) -> Playing:
        """What the refiner could learn from, and the seed's record."""
        question, tree = state["question"], state.get("tree")
        taught = lessons(runtime.context, question, state["responses"], tree, self.refiner)
        output = {
            "question": question.id,
            "instruction": question.question,
            "responses": [response.dump() for response in state["responses"]],
            "root": state["root"],
            "tree": tree.dump() if tree else None,
        }
        return {"samples": [*state.get("samples", ()), *taught], "output": output}


def _root(state: Playing) -> Response:
    index = state["root"]
    assert index is not None
    return state["responses"][index]


def _unpaired(reason: str, context: Context, question: Question, root: Response, why: str) -> Rejection:
    """No pair came of a response: no refinement passed, no other response was right, or it was cut off,
    or no majority judged it."""
    return Rejection(
        seed_id=context.seed_id,
        round=context.round,
        stage=context.stage,
        node="pair",
        reason=reason,
        detail=why,
        raw=root.text,
        data={"question": question.question, "family": question.family},
    )
