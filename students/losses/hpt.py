"""Hybrid post-training (arXiv 2509.04419): a prompt that nobody solves is learnt from its demonstration.

Of a prompt with at most `gate` solved attempts all attempts are dropped and the demonstration's
negative log-likelihood, the mean over its tokens, takes their place; of any other the attempts are
learnt as in Dr.GRPO: without a deviation, a clip or a mean over their length. The loss is the mean over
prompts. TRL divides `dr_grpo` by attempts times the longest attempt, which the demonstration's
advantage makes good.
"""

from __future__ import annotations

import torch

__all__ = ["demonstration_advantage", "unsolved"]


def unsolved(scores: torch.Tensor, generations: int, gate: int) -> torch.Tensor:
    """Which prompts are learnt from their demonstration; `scores` are of all attempts, group by group."""
    return (scores.view(-1, generations) >= 1).sum(1) <= gate


def demonstration_advantage(length: int, generations: int, longest: int, nll: float) -> float:
    """Advantage of each of a demonstration's `length` tokens that makes its part of the loss `nll` times
    its mean negative log-likelihood."""
    return nll * generations * longest / length
