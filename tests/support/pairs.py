"""A small flow that two roles learn from: the student from preference pairs, the refiner from answers.

Flow file: `flow: tests.support.pairs:build`. The refiner is asked each question of the pool: what it
says is rejected in favour of the known answer, so a round's data tell which refiner answered.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from synth.agents import ask
from synth.engine import Context, Flow, FlowParams, Graph
from synth.engine.session import Session
from synth.flows.answering import question_messages, question_seeds
from synth.records import Question, Sample, Sampling, Seed

__all__ = ["PAIR_FLOW", "build"]

PAIR_FLOW = """
flow: tests.support.pairs:build
rounds: 2
models:
  student: {model: smollm2-135m, concurrency: 8}
  refiner: {model: smollm2-135m, concurrency: 8}
data:
  test: {source: tasks, families: [addition], size: 12, seed: 1}
  pool: {source: tasks, families: [addition], size: 6, seed: 3}
train: {objective: dpo, dpo: {length_normalised: true, beta: 5}}
learners:
  refiner: {objective: sft, learning_rate: 0.00001}
"""


class Asked(TypedDict, total=False):
    """One question, and the samples made of it."""

    seed: Seed
    samples: list[Sample]


def build() -> Flow:
    """The flow."""
    return Flow("pairs", FlowParams, generate, roles=("student", "refiner"), sources=("pool", "test"))


async def generate(session: Session) -> Iterable[Sample]:
    """A pair and an answer for each question of the pool, and a pair of which nothing can be learned."""
    pool = session.questions("pool")
    await session.stage("make", _graph(session), question_seeds(pool), total=len(pool))
    made = list(session.samples("make"))
    same = made[0].model_copy(update={"id": "same", "rejected": made[0].chosen})
    return [*made, same]


def _graph(session: Session) -> Graph:
    async def ask_refiner(state: Asked, runtime: Runtime[Context]) -> Asked:
        context = runtime.context
        question = Question.model_validate(state["seed"].data)
        prompt = question_messages(question.question, session.flow.evaluate)
        said = (await ask(context, "refiner", prompt, Sampling(), agent="refine"))[0].text
        facts = {"seed_id": context.seed_id, "flow": "pairs", "arm": context.arm, "round": context.round}
        pair = Sample.pair(prompt, f"The sum is {question.answer}.", said, lineage=context.lineage(), **facts)
        answer = Sample.sft(prompt, question.answer, learner="refiner", **facts)
        return {"samples": [pair, answer]}

    builder = StateGraph(Asked, context_schema=Context)
    builder.add_node("ask", ask_refiner)
    builder.add_edge(START, "ask")
    builder.add_edge("ask", END)
    return builder.compile()
