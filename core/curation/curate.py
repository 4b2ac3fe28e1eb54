"""From generated samples to a training set: every step is counted, every drop has its reason.

`steps_of` names the steps in their order, `sift` lets samples through them one at a time, `settle`
shuffles what is left and cuts it to the budgets. `curate` is all three.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from synth.config.curation import Curate
from synth.curation.balance import Balanced
from synth.curation.contamination import HeldOut
from synth.curation.filters import by_language, by_length, malformed, refusing
from synth.curation.lint import PairLint
from synth.curation.markers import by_markers
from synth.curation.near import NearDuplicates
from synth.curation.private import by_private
from synth.curation.repetition import by_repetition
from synth.curation.step import Check, Fault, Step, Tally, passing, refuse, sides
from synth.records import Rejection, Sample, content_id

__all__ = ["Curated", "curate", "settle", "sift", "steps_of"]


@dataclass
class Curated:
    """What is trained on, in training order; what was dropped; content tokens of the former.

    `lint` is of all pairs that are no held-out question and hold nothing private, dropped or not; `steps`
    is what each step did.
    """

    samples: list[Sample] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    tokens: int = 0
    lint: PairLint = field(default_factory=PairLint)
    steps: dict[str, Tally] = field(default_factory=dict)
    judge: dict[str, Any] = field(default_factory=dict)
    """What a judge's calibration came to, if there is one."""
    alignment: dict[str, float] = field(default_factory=dict)
    """Method -> how like the student's own its answers are, where methods were compared."""

    def of(self, learner: str) -> list[Sample]:
        """The samples a role trains on."""
        return [sample for sample in self.samples if sample.learner == learner]


def curate(
    samples: Iterable[Sample],
    *,
    held_out: Mapping[str, str],
    count_tokens: Callable[[Sample], int],
    token_budget: int | None,
    limit: int | None,
    seed: int,
    rules: Curate | None = None,
    lint_drop: Collection[str] = (),
    delimiters: Sequence[str] = (),
) -> Curated:
    """All steps of `rules` that ask no model, the shuffle and the budgets.

    `held_out` are normalised question texts (`synth.data.normalise`) with their sources' names. Pairs
    with a fault in `lint_drop` go with that fault as the reason.
    """
    result, rules = Curated(), rules or Curate()
    steps = steps_of(rules, held_out, result.lint, count_tokens, lint_drop, delimiters)
    sift(result, samples, steps)
    settle(result, rules, count_tokens, token_budget, limit, seed)
    return result


def steps_of(
    rules: Curate,
    held_out: Mapping[str, str],
    lint: PairLint,
    count_tokens: Callable[[Sample], int],
    lint_drop: Collection[str] = (),
    delimiters: Sequence[str] = (),
) -> list[Step]:
    """The steps, in their order: what may not be learned goes before what need not be."""

    def tokens_of(text: str) -> int:
        return count_tokens(_BARE.model_copy(update={"completion": [{"role": "assistant", "content": text}]}))

    found: dict[str, Check | None] = {
        "held-out": HeldOut(held_out, rules.overlap),
        "private": by_private(rules.private),
        "pairs": _linted(lint, lint_drop, delimiters),
        "duplicates": _unrepeated() if rules.exact else None,
        "format": malformed(delimiters) if rules.format else None,
        "refusals": refusing if rules.refusals else None,
        "length": by_length(rules.length, tokens_of) if rules.length else None,
        "repetition": by_repetition(rules.repetition) if rules.repetition else None,
        "language": by_language(rules.language) if rules.language else None,
        "near-duplicates": NearDuplicates(rules.near) if rules.near else None,
    }
    return [Step(name, check) for name, check in found.items() if check is not None]


def sift(result: Curated, samples: Iterable[Sample], steps: Sequence[Step]) -> None:
    """Let samples through the steps, and add what comes of it to the result."""
    result.samples += passing(samples, steps, result.steps, result.rejections)


def settle(
    result: Curated,
    rules: Curate,
    count_tokens: Callable[[Sample], int],
    token_budget: int | None,
    limit: int | None,
    seed: int,
) -> None:
    """Shuffle the samples, cap what is too frequent, cut to the budgets, and mark what is left.

    Samples beyond a learner's `token_budget` tokens or `limit` examples go with the reason
    `over-budget`: they are sound and simply not needed, and arms compared at equal size share the budget.
    """
    sound, result.samples = result.samples, []
    random.Random(f"{seed}/curate").shuffle(sound)
    steps = [Step("balance", Balanced(rules.balance))] if rules.balance else []
    budget = Tally()
    used: Counter[str] = Counter()
    taken: Counter[str] = Counter()
    for sample in passing(sound, steps, result.steps, result.rejections):
        tokens, learner = count_tokens(sample), sample.learner
        budget.seen += 1
        over_tokens = token_budget is not None and used[learner] + tokens > token_budget
        if over_tokens or (limit is not None and taken[learner] >= limit):
            fault = Fault("over-budget", f"{tokens} tokens")
            budget.dropped[fault.reason] += 1
            result.rejections.append(refuse(sample, "budget", fault))
        else:
            result.samples.append(sample)
            taken[learner] += 1
            used[learner] += tokens
    result.steps["budget"] = budget
    if rules.markers:
        kept, result.samples = result.samples, []
        sift(result, kept, [Step("markers", by_markers(rules.markers, seed))])
    result.tokens = used.total()


_BARE = Sample(id="", seed_id="", flow="", arm="", round=0, prompt=[], completion=[])
"""Carries a text to whoever counts a sample's tokens."""


def _unrepeated() -> Check:
    """Each prompt with its answers once, a learner each."""
    seen: set[str] = set()

    def check(sample: Sample) -> Sample | Fault:
        identity = content_id([sample.learner, sample.prompt, sides(sample)])
        if identity in seen:
            return Fault("duplicate", "the same prompt and answer were made before")
        seen.add(identity)
        return sample

    return check


def _linted(lint: PairLint, lint_drop: Collection[str], delimiters: Sequence[str]) -> Check:
    """Pairs without the faults that the flow drops; all faults are counted."""

    def check(sample: Sample) -> Sample | Fault:
        found = lint.see(sample, delimiters) if sample.chosen is not None else []
        bad = [fault for fault in found if fault in lint_drop]
        return Fault(bad[0], f"lint of the pair: {', '.join(found)}") if bad else sample

    return check
