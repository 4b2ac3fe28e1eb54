"""The actor's own responses to a prompt, judged, and the failed one that will be refined."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from synth.agents import ask
from synth.config import Evaluate
from synth.engine import Context
from synth.flows.answering import question_messages
from synth.flows.spar.judge import Judge, check
from synth.flows.spar.judgement import Judgement
from synth.flows.spar.params import Fault, Params
from synth.flows.spar.tree import together
from synth.records import Question, Sampling

__all__ = ["Response", "pick", "respond", "unfit"]


@dataclass(frozen=True, slots=True)
class Response:
    """One response of the actor; `checked` is the rule-based checker's verdict, if it has one."""

    text: str
    truncated: bool
    key: str
    judgement: Judgement
    checked: bool | None = None

    def dump(self) -> dict[str, Any]:
        """As it is stored with the seed's result."""
        return {
            "text": self.text,
            "truncated": self.truncated,
            "votes": list(self.judgement.votes),
            "verdict": self.judgement.verdict,
            "checked": self.checked,
        }


async def respond(
    context: Context, question: Question, params: Params, settings: Evaluate, judge: Judge
) -> list[Response]:
    """Samples of the actor, each judged. The prompt is put as in an exam."""
    sampling = Sampling(temperature=params.temperature, top_p=params.top_p, max_tokens=params.max_tokens)
    messages = question_messages(question.question, settings)
    replies = await ask(context, "student", messages, sampling, agent="respond", n=params.responses)
    judgements = await together(
        judge(context, question, reply.text, params.rejudge_actor) for reply in replies
    )
    return [
        Response(reply.text, reply.truncated, reply.key, judgement, await check(question, reply.text))
        for reply, judgement in zip(replies, judgements, strict=True)
    ]


def unfit(response: Response, params: Params) -> Fault | None:
    """The fault, of those that are dropped, that any pair of this response would have."""
    if response.judgement.refuted(response.checked) and "refuted" in params.drops:
        return "refuted"
    return "unfinished" if response.truncated and "unfinished" in params.drops else None


def pick(responses: Sequence[Response], verdict: bool, params: Params, rng: random.Random) -> int | None:
    """A random response the majority judged so; ties are out of the question, and so are those whose
    pairs would be dropped: unfinished ones, and those on which the checker says otherwise."""
    fitting = [
        i
        for i, response in enumerate(responses)
        if response.judgement.verdict is verdict and not unfit(response, params)
    ]
    return rng.choice(fitting) if fitting else None
