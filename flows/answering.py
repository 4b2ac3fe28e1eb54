"""A student answers a question and is checked: the exam before and after, and STAT's first stage."""

from __future__ import annotations

from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from synth.agents import ask
from synth.config import Evaluate
from synth.engine import Context, Graph
from synth.records import Judged, Message, Question, Sampling, Seed
from synth.verify import judge

__all__ = ["Answered", "Answering", "exam_graph", "question_messages", "question_seeds"]


class Answered(TypedDict, total=False):
    """State of the exam graph; `output` is the `Judged` record as a plain object."""

    seed: Seed
    question: Question
    response: str
    truncated: bool
    judged: Judged
    output: dict[str, Any]


def question_messages(question: str, settings: Evaluate) -> list[Message]:
    """How a question is put to the student, in training and in every exam alike."""
    user: Message = {"role": "user", "content": settings.prompt.replace("{question}", question)}
    return [{"role": "system", "content": settings.system}, user] if settings.system else [user]


def question_seeds(questions: list[Question]) -> list[Seed]:
    """One seed a question, with the question's own id."""
    return [Seed(id=question.id, data=question.model_dump()) for question in questions]


class Answering:
    """The two nodes every exam has. `temperature` 0 makes the answer greedy; `sample` is its number."""

    def __init__(self, settings: Evaluate, temperature: float = 0.0, sample: int = 0) -> None:
        self.settings = settings
        self.sample = sample
        self.sampling = Sampling(temperature=temperature, max_tokens=settings.max_tokens)

    async def answer(self, state: Answered, runtime: Runtime[Context]) -> Answered:
        """The student's reply, whole or cut off: a cut-off answer is a wrong one, not a drop."""
        question = Question.model_validate(state["seed"].data)
        messages = question_messages(question.question, self.settings)
        replies = await ask(
            runtime.context, "student", messages, self.sampling, agent="answer", first=self.sample
        )
        reply = replies[0]
        return {"question": question, "response": reply.text, "truncated": reply.truncated}

    async def verify(self, state: Answered, runtime: Runtime[Context]) -> Answered:
        """The reply as the flow file's verifier sees it."""
        judged = await judge(
            state["response"],
            state["question"],
            self.settings.verifier,
            truncated=state.get("truncated", False),
        )
        return {"judged": judged, "output": judged.model_dump()}


def exam_graph(settings: Evaluate, sample: int = 0, temperature: float | None = None) -> Graph:
    """Answers to held-out questions, by default at the exam's temperature, checked: `output` is a `Judged`.

    Another `sample` asks the same anew: above temperature 0 for another answer, at 0 for the noise that
    is left in greedy ones.
    """
    nodes = Answering(settings, settings.temperature if temperature is None else temperature, sample)
    builder = StateGraph(Answered, context_schema=Context)
    builder.add_node("answer", nodes.answer)
    builder.add_node("verify", nodes.verify)
    builder.add_edge(START, "answer")
    builder.add_edge("answer", "verify")
    builder.add_edge("verify", END)
    return builder.compile(name="exam")
