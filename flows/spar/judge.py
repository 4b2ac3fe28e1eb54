"""Judging a response: votes of a model, or the rules of a prompt's constraints."""

from __future__ import annotations

from synth.agents import ask, load_prompt
from synth.chat import Reply
from synth.engine import Context
from synth.flows.spar.judgement import Judgement, anchored, lenient
from synth.flows.spar.params import Params
from synth.records import Message, Question, Sampling
from synth.verify import judge as verify
from synth.verify.constraints import describe

__all__ = ["Judge", "check"]


class Judge:
    """Says whether a response does all that its prompt asks for.

    The role `judged_by` votes. In the arm `control-rules` the constraints are checked instead,
    where a prompt's can be.
    """

    def __init__(self, params: Params) -> None:
        self.params = params
        self.prompt = load_prompt("judge_response")
        self.sampling = Sampling(
            temperature=params.judge_temperature,
            top_p=params.judge_top_p,
            max_tokens=params.judge_max_tokens,
        )

    def asked(self, question: Question, response: str) -> list[Message]:
        """What the judge is asked; the refiner's conversation begins with it, too."""
        return self.prompt.render(instruction=question.question, response=response)

    async def __call__(
        self, context: Context, question: Question, response: str, again: int = 0
    ) -> Judgement:
        """One judgement, made anew up to `again` times while no majority comes about."""
        if self.params.arm == "control-rules" and question.meta.get("constraints"):
            return await _by_rules(question, response)
        judgement = Judgement()
        for attempt in range(again + 1):
            judgement = await self._vote(context, question, response, attempt)
            if judgement.verdict is not None:
                break
        return judgement

    async def _vote(self, context: Context, question: Question, response: str, attempt: int) -> Judgement:
        replies = await ask(
            context,
            self.params.judged_by,
            self.asked(question, response),
            self.sampling,
            agent="judge",
            prompt_hash=self.prompt.hash,
            n=self.params.votes,
            first=attempt * self.params.votes,
        )
        texts = [reply.text for reply in replies]
        return Judgement.of([self._read(reply) for reply in replies], texts, [reply.key for reply in replies])

    def _read(self, reply: Reply) -> bool | None:
        if self.params.lenient:
            return lenient(reply.text)
        return None if reply.truncated else anchored(reply.text)


async def _by_rules(question: Question, response: str) -> Judgement:
    """One vote, by the checker, with the constraints that are not met for a critique."""
    judged = await verify(response, question, "constraints")
    lines = [
        f"- {describe(constraint)} {'Met.' if met else 'Not met.'}"
        for constraint, met in zip(question.meta["constraints"], judged.parts, strict=True)
    ]
    lines.append(f"Final Judgement: {'Yes' if judged.correct else 'No'}")
    return Judgement.of([judged.correct], ["\n".join(lines)])


async def check(question: Question, response: str) -> bool | None:
    """What the rules say of a response, or None where the prompt has no constraints to check."""
    if not question.meta.get("constraints"):
        return None
    return (await verify(response, question, "constraints")).correct
