"""Prefix-RFT (arXiv 2507.01679): one attempt of a group goes on from the beginning of a demonstration.

The tokens of that beginning get the attempt's reward less the mean of the others' as advantage, and
only those the student is least sure of; what it wrote after them gets none, and the other attempts
are held against each other as in Dr.GRPO. The configuration of the published runs is not part of the
authors' code, so the bounds of the length and the share of tokens are settings with defaults of ours.
A later reproduction (arXiv 2604.23747) finds that plain supervised fine-tuning, its loss averaged
right, does as well: compare before you believe.
"""

from __future__ import annotations

import math

import torch

from synth.config.objectives import PrefixRft

__all__ = ["advantages", "most_uncertain", "prefix_length"]


def prefix_length(draw: float, progress: float, length: int, settings: PrefixRft) -> int:
    """Tokens of a demonstration that are given: `draw` is uniform, `progress` the share of steps done."""
    falling = (1 + math.cos(math.pi * min(progress, 1.0))) / 2
    low = settings.shortest_end + (settings.shortest_start - settings.shortest_end) * falling
    low = min(low, settings.longest)
    return min(int((low + (settings.longest - low) * draw) * length), length - 1)


def advantages(scores: torch.Tensor, generations: int) -> torch.Tensor:
    """One an attempt, group by group; the last of a group is the one with the prefix."""
    groups = scores.view(-1, generations)
    return (groups - groups[:, :-1].mean(1, keepdim=True)).flatten()


def most_uncertain(entropies: torch.Tensor, length: int, share: float) -> torch.Tensor:
    """1 at the tokens among the first `length` that have the highest entropy, 0 elsewhere."""
    kept = torch.zeros_like(entropies)
    count = math.ceil(share * length)
    if count:
        kept[entropies[:length].topk(count).indices] = 1
    return kept
