"""What an attempt is worth: the verdict of the project's verifiers, for training by reward."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from synth.records import Message, Question
from synth.verify import judge

__all__ = ["Reward"]


class Reward:
    """TRL's kind of reward function: from the rows' truths and the attempts to a score each.

    `verifier` is the flow file's. An attempt cut off by the token limit is judged as one that is not
    whole, as in an exam. The scores of the last call stay in `last`.
    """

    __name__ = "verifier"

    def __init__(self, verifier: str) -> None:
        self.verifier = verifier
        self.ends: frozenset[int] = frozenset()
        """Ids that end an answer."""
        self.last: list[float] = []

    def __call__(
        self,
        prompts: list[Any],
        completions: list[list[Message]],
        completion_ids: list[list[int]],
        truth: list[str],
        **rest: Any,
    ) -> list[float]:
        # The learner's texts, not ids: what an exam sees.
        attempts = zip(completions, completion_ids, truth, strict=True)
        self.last = asyncio.run(self._judged([(c[0]["content"], ids, t) for c, ids, t in attempts]))
        return self.last

    async def _judged(self, attempts: list[tuple[str, list[int], str]]) -> list[float]:
        scores = []
        for text, ids, truth in attempts:
            question = Question.model_validate(json.loads(truth))
            cut = not (ids and ids[-1] in self.ends)
            scores.append((await judge(text.strip(), question, self.verifier, truncated=cut)).score)
        return scores
