"""From generated samples to a training set: every drop has its reason."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from synth.data import normalise
from synth.records import Rejection, Sample, content_id

__all__ = ["Curated", "curate"]


@dataclass
class Curated:
    """What is trained on, in training order; what was dropped; content tokens of the former."""

    samples: list[Sample] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    tokens: int = 0


def curate(
    samples: Iterable[Sample],
    *,
    held_out: Collection[str],
    count_tokens: Callable[[Sample], int],
    token_budget: int | None,
    limit: int | None,
    seed: int,
) -> Curated:
    """Drop duplicates and whatever repeats a held-out question, shuffle, cut to the budgets.

    `held_out` are normalised question texts (`synth.data.normalise`). Samples beyond
    `token_budget` tokens or `limit` examples go with the reason `over-budget`: they are
    sound and simply not needed, and arms compared at equal size share the budget.
    """
    result = Curated()
    seen: set[str] = set()
    sound: list[Sample] = []
    for sample in samples:
        text = content_id([sample.prompt, sample.completion, sample.chosen, sample.rejected])
        if any(normalise(asked) in held_out for asked in _asked(sample)):
            result.rejections.append(_drop(sample, "contaminated", "repeats a held-out question"))
        elif text in seen:
            result.rejections.append(
                _drop(sample, "duplicate", "the same prompt and answer were made before")
            )
        else:
            seen.add(text)
            sound.append(sample)
    random.Random(f"{seed}/curate").shuffle(sound)
    for sample in sound:
        tokens = count_tokens(sample)
        over_tokens = token_budget is not None and result.tokens + tokens > token_budget
        if over_tokens or (limit is not None and len(result.samples) >= limit):
            result.rejections.append(_drop(sample, "over-budget", f"{tokens} tokens"))
        else:
            result.samples.append(sample)
            result.tokens += tokens
    return result


def _asked(sample: Sample) -> list[str]:
    """Texts that could be a held-out question: the user's turns, and the bare question if known."""
    texts = [message["content"] for message in sample.prompt if message["role"] == "user"]
    question = sample.meta.get("question")
    return [*texts, question] if isinstance(question, str) else texts


def _drop(sample: Sample, reason: str, detail: str) -> Rejection:
    return Rejection(
        seed_id=sample.seed_id,
        round=sample.round,
        stage="curate",
        node="curate",
        reason=reason,
        detail=detail,
        data={"sample": sample.id, "prompt": sample.prompt, "completion": sample.completion},
    )
