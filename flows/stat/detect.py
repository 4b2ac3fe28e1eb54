"""Which questions are difficult for the student: by verifier, reward model, consistency or length."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from synth.agents import ask
from synth.config import Evaluate
from synth.engine import Context
from synth.flows.answering import Answered, Answering, question_messages
from synth.flows.stat.agreement import commonest
from synth.flows.stat.params import Params
from synth.flows.stat.reward import is_difficult, score_steps
from synth.records import Question, Rejection, Sampling

__all__ = ["Detected", "Detecting"]


class Detected(Answered, total=False):
    """State of the profile graph; `responses` are all of several answers."""

    responses: list[str]
    rejections: list[Rejection]


class Detecting(Answering):
    """Nodes: `answer` (once or several times), `verify`, and `detect`.

    `detect` adds `difficult` to the output, and what it goes by: the steps' `scores`, `repeats`
    of the commonest answer, or mean `words`. The known answer is looked at by `verifier` alone;
    for the others it only tells how good they are.
    """

    def __init__(self, params: Params, settings: Evaluate) -> None:
        super().__init__(settings, params.student_temperature)
        self.params = params
        self.often = params.detect in ("consistency", "length")
        self.varied = Sampling(temperature=params.sample_temperature, max_tokens=settings.max_tokens)

    async def answer_often(self, state: Detected, runtime: Runtime[Context]) -> Detected:
        """Several answers; the first stands for them where the teacher is shown one."""
        question = Question.model_validate(state["seed"].data)
        messages = question_messages(question.question, self.settings)
        replies = await ask(
            runtime.context, "student", messages, self.varied, agent="answer", n=self.params.samples
        )
        texts = [reply.text for reply in replies]
        return {"question": question, "response": texts[0], "responses": texts}

    async def detect(self, state: Detected, runtime: Runtime[Context]) -> Detected:
        """Whether the question is difficult."""
        found: dict[str, Any]
        if self.params.detect == "verifier":
            found = {"difficult": not state["judged"].correct}
        elif self.params.detect == "reward":
            question, response = state["question"].question, state["response"]
            scores = await score_steps(runtime.context, self.params, question, response)
            found = {
                "difficult": is_difficult(scores, self.params.tau1, self.params.tau2),
                "scores": scores,
            }
        elif self.params.detect == "consistency":
            _, agreeing = commonest(state["responses"], state["question"])
            found = {"difficult": len(agreeing) < self.params.repeats, "repeats": len(agreeing)}
        else:
            words = sum(len(text.split()) for text in state["responses"]) / len(state["responses"])
            found = {"difficult": words >= self.params.words, "words": words}
        return {"output": {**state["output"], **found}}
