"""From generated samples to a training set: every drop has its reason."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from synth.curation.lint import PairLint
from synth.data import normalise
from synth.records import Rejection, Sample, content_id

__all__ = ["Curated", "curate"]


@dataclass
class Curated:
    """What is trained on, in training order; what was dropped; content tokens of the former.

    `lint` is of all pairs that were looked at, dropped or not.
    """

    samples: list[Sample] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    tokens: int = 0
    lint: PairLint = field(default_factory=PairLint)

    def of(self, learner: str) -> list[Sample]:
        """The samples a role trains on."""
        return [sample for sample in self.samples if sample.learner == learner]


def curate(
    samples: Iterable[Sample],
    *,
    held_out: Collection[str],
    count_tokens: Callable[[Sample], int],
    token_budget: int | None,
    limit: int | None,
    seed: int,
    lint_drop: Collection[str] = (),
    delimiters: Sequence[str] = (),
) -> Curated:
    """Drop duplicates, whatever repeats a held-out question, and faulty pairs; shuffle, cut to the budgets.

    `held_out` are normalised question texts (`synth.data.normalise`). Pairs with a fault
    in `lint_drop` go with that fault as the reason. Samples beyond a learner's `token_budget`
    tokens or `limit` examples go with the reason `over-budget`: they are sound and simply
    not needed, and arms compared at equal size share the budget.
    """
    result = Curated()
    seen: set[str] = set()
    sound: list[Sample] = []
    for sample in samples:
        text = content_id([sample.learner, sample.prompt, sample.completion, sample.chosen, sample.rejected])
        faults = result.lint.see(sample, delimiters) if sample.chosen is not None else []
        bad = [fault for fault in faults if fault in lint_drop]
        if any(normalise(asked) in held_out for asked in _asked(sample)):
            result.rejections.append(_drop(sample, "contaminated", "repeats a held-out question"))
        elif text in seen:
            result.rejections.append(
                _drop(sample, "duplicate", "the same prompt and answer were made before")
            )
        elif bad:
            result.rejections.append(_drop(sample, bad[0], f"lint of the pair: {', '.join(faults)}"))
        else:
            seen.add(text)
            sound.append(sample)
    random.Random(f"{seed}/curate").shuffle(sound)
    _cut(result, sound, count_tokens, token_budget, limit)
    return result


def _cut(
    result: Curated,
    sound: list[Sample],
    count_tokens: Callable[[Sample], int],
    token_budget: int | None,
    limit: int | None,
) -> None:
    """Take samples as long as their learner's budgets hold."""
    used: Counter[str] = Counter()
    taken: Counter[str] = Counter()
    for sample in sound:
        tokens, learner = count_tokens(sample), sample.learner
        over_tokens = token_budget is not None and used[learner] + tokens > token_budget
        if over_tokens or (limit is not None and taken[learner] >= limit):
            result.rejections.append(_drop(sample, "over-budget", f"{tokens} tokens"))
        else:
            result.samples.append(sample)
            taken[learner] += 1
            used[learner] += tokens
    result.tokens = used.total()


def _asked(sample: Sample) -> list[str]:
    """Texts that could be a held-out question: the user's turns, and the bare question if known."""
    texts = [message["content"] for message in sample.prompt if message["role"] == "user"]
    question = sample.meta.get("question")
    return [*texts, question] if isinstance(question, str) else texts


def _drop(sample: Sample, reason: str, detail: str) -> Rejection:
    sides = {"completion": sample.completion, "chosen": sample.chosen, "rejected": sample.rejected}
    answers = {side: messages for side, messages in sides.items() if messages is not None}
    return Rejection(
        seed_id=sample.seed_id,
        round=sample.round,
        stage="curate",
        node="curate",
        reason=reason,
        detail=detail,
        data={"sample": sample.id, "prompt": sample.prompt, **answers},
    )
