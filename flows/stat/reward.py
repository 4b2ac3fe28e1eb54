"""Difficult questions by a process reward model: scores of the steps of an answer (STAT, Stage 1)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from synth.agents import ask
from synth.chat import Dropped
from synth.engine import Context
from synth.flows.stat.params import Params
from synth.records import Message, Sampling
from synth.teachers.reward import numbers_of

__all__ = ["conversations", "is_difficult", "score_steps", "split_steps"]

GOOD = "+"
"""What a step that is right is answered with, in the layout `turns`."""
PLAIN = Sampling(max_tokens=1)
"""Nothing is sampled; a call's key has to have something here."""


def split_steps(response: str) -> list[str]:
    """The steps of an answer: its paragraphs, or its lines where it is one paragraph."""
    text = response.strip()
    paragraphs = [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]
    if len(paragraphs) > 1:
        return paragraphs
    return [line.strip() for line in text.splitlines() if line.strip()]


def is_difficult(scores: Sequence[float], tau1: float, tau2: float) -> bool:
    """Last score or mean at most `tau1`, or an earlier one at most `tau2`. Scores are 0..1."""
    if not scores:
        return True
    low = min(scores[-1], sum(scores) / len(scores))
    return low <= tau1 or any(score <= tau2 for score in scores[:-1])


def conversations(params: Params, question: str, steps: Sequence[str]) -> list[list[Message]]:
    """What the reward model is shown, by `reward_layout`: one conversation, or one a step."""
    asked: Message = {"role": "user", "content": question}
    if params.reward_layout == "marked":
        answer = "".join(f"{step}{params.step_mark}" for step in steps)
        return [[asked, {"role": "assistant", "content": answer}]]
    if params.reward_layout == "prefixes":
        texts = ("\n\n".join(steps[: n + 1]) for n in range(len(steps)))
        return [[asked, {"role": "assistant", "content": text}] for text in texts]
    turns: list[Message] = []
    shown = []
    for step in steps:
        turns.append({"role": "user", "content": step if turns else f"{question} {step}"})
        shown.append(list(turns))
        turns.append({"role": "assistant", "content": GOOD})
    return shown


async def score_steps(context: Context, params: Params, question: str, response: str) -> list[float]:
    """One score a step, 0..1; none for an empty answer. Raises `Dropped` (`call-failed`,
    `unscored` where the model gave another number of scores than there are steps)."""
    steps = split_steps(response)
    if not steps:
        return []
    shown = conversations(params, question, steps)
    replies = await asyncio.gather(
        *(ask(context, "reward", messages, PLAIN, agent="score") for messages in shown)
    )
    try:
        scores = [score for (reply,) in replies for score in numbers_of(reply.text)]
    except (TypeError, ValueError) as error:
        raise Dropped("unscored", "detect", str(error), error="ValueError") from error
    if len(scores) != len(steps):
        raise Dropped("unscored", "detect", f"{len(scores)} scores for {len(steps)} steps", raw=response)
    return scores
