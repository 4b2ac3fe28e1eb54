"""How a fixed budget of training examples is best split between answers and preference pairs.

After Raghavendra et al., "Balancing the Budget" (arXiv 2502.11284): with few examples supervised training
alone does best; with more, a growing part as pairs; and never pairs alone on a student that has had no
supervised training, for which a small part of the budget is enough.
"""

from __future__ import annotations

from synth.config import FlowFile
from synth.config.objectives import NEEDS

__all__ = ["FEW", "split_hint"]

FEW = 1000
"""Examples below which supervised training alone did best."""
FIRST = 0.1
"""Part of the budget that supervised training needs at most before pairs pay."""


def split_hint(flow: FlowFile, examples: int | None) -> str:
    """What the paper would do otherwise with so many examples a round; empty where it agrees, or nothing
    says how many there are."""
    needs = NEEDS[flow.train.objective]
    if examples is None or needs not in ("answers", "pairs"):
        return ""
    total, source = examples * flow.rounds, "(arXiv 2502.11284)"
    if needs == "pairs" and total < FEW:
        return (
            f"{total:,} examples in all are pairs: below {FEW:,} supervised training alone did better "
            f"{source}; write train.objective: sft where the flow makes answers, or make more"
        )
    if needs == "pairs" and flow.warm_start is None:
        return (
            f"all {total:,} examples are pairs: a student without supervised training of its own learns more "
            f"when up to {FIRST:.0%} of them are answers that come first {source}; warm_start does that"
        )
    if needs == "answers" and total >= FEW:
        return (
            f"all {total:,} examples are answers: from {FEW:,} on, a part as preference pairs did better "
            f"{source}; a second flow with train.objective: dpo, from this one's student, makes them"
        )
    return ""
