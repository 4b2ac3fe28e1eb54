"""The refiner at work: it goes on from the judge's critique and writes the response anew."""

from __future__ import annotations

from synth.agents import ask, load_prompt
from synth.chat import Dropped, Reply
from synth.engine import Context
from synth.flows.spar.judge import Judge, check
from synth.flows.spar.judgement import Judgement
from synth.flows.spar.marks import between_marks
from synth.flows.spar.params import Params
from synth.flows.spar.tree import Draft, Node, Tree, search, together
from synth.records import Message, Question, Sampling

__all__ = ["Refiner"]


class Refiner:
    """The role `refiner`: judge prompt, critique, refine request; then a reflection and the new text."""

    def __init__(self, params: Params, judge: Judge) -> None:
        self.params = params
        self.judge = judge
        self.prompt = load_prompt("refine_response")
        self.sampling = Sampling(
            temperature=params.refine_temperature,
            top_p=params.refine_top_p,
            max_tokens=params.refine_max_tokens,
        )

    def asked(self, question: Question, node: Node) -> list[Message]:
        """The conversation a refinement answers, in the search and in training alike."""
        critique: Message = {"role": "assistant", "content": node.judgement.critique}
        return [*self.judge.asked(question, node.response), critique, *self.prompt.render()]

    async def search(self, context: Context, question: Question, root: Node) -> Tree:
        """The tree of a response, each node checked by the rules as well, if there are any."""

        async def refine(node: Node, count: int) -> list[Draft | None]:
            messages = self.asked(question, node)
            return await together(self._draft(context, messages, branch) for branch in range(count))

        async def judge(response: str) -> Judgement:
            try:
                return await self.judge(context, question, response, self.params.rejudge)
            except Dropped:
                return Judgement()

        tree = await search(root, self.params.limits, refine, judge)
        for node in tree.nodes:
            node.checked = await check(question, node.response)
        return tree

    async def _draft(self, context: Context, messages: list[Message], branch: int) -> Draft | None:
        """One branch: a refinement that can be read, or None after all attempts."""
        for attempt in range(self.params.refine_attempts):
            number = branch + attempt * self.params.limits.branch
            try:
                [reply] = await self._ask(context, messages, number)
            except Dropped:
                continue
            response = self._read(reply)
            if response is not None:
                return Draft(response, reply.text, reply.key)
        return None

    async def _ask(self, context: Context, messages: list[Message], number: int) -> list[Reply]:
        return await ask(
            context,
            "refiner",
            messages,
            self.sampling,
            agent="refine",
            prompt_hash=self.prompt.hash,
            first=number,
        )

    def _read(self, reply: Reply) -> str | None:
        return None if reply.truncated else between_marks(reply.text)
