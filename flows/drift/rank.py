"""The control that ranks two of the student's own replies: by the checker, or by a judge."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from synth.agents import Agent
from synth.chat import Dropped, Reply
from synth.engine import Context
from synth.flows.drift.params import Params
from synth.flows.drift.signals import Signal
from synth.records import Sampling
from synth.verify.constraints import check

__all__ = ["Ranking"]


class Ranked(BaseModel):
    """The judge's opinion; its reason comes first and shapes it."""

    reason: str = ""
    better: Literal["first", "second", "tie"]


class Ranking:
    """Orders two replies. Who ranks in the published baseline is not known."""

    def __init__(self, params: Params) -> None:
        self._judge = Agent(
            "rank", "annotator", "rank_replies", Ranked, Sampling(max_tokens=params.rubric_tokens)
        )

    async def order(self, context: Context, signal: Signal, one: Reply, other: Reply) -> tuple[Reply, Reply]:
        """The better reply, then the worse one. Raises `Dropped("tie")` where they are equal.

        The checker counts the constraints each follows; without constraints the judge decides,
        who sees the two in an order drawn by chance.
        """
        if signal.constraints:
            gap = _followed(one, signal) - _followed(other, signal)
        else:
            gap = await self._opinion(context, signal, one, other)
        if gap == 0:
            raise Dropped("tie", "choose", "both replies are equally good", raw=one.text)
        return (one, other) if gap > 0 else (other, one)

    async def _opinion(self, context: Context, signal: Signal, one: Reply, other: Reply) -> int:
        turned = context.rng.random() < 0.5
        first, second = (other, one) if turned else (one, other)
        said = await self._judge(
            context,
            turns=signal.prompt,
            wanted=signal.wish or signal.feedback,
            first=first.text,
            second=second.text,
        )
        gap = {"first": 1, "second": -1, "tie": 0}[said.better]
        return -gap if turned else gap


def _followed(reply: Reply, signal: Signal) -> int:
    """A reply that was cut off follows nothing, as in the exam."""
    return 0 if reply.truncated else sum(check(reply.text, signal.constraints).loose)
