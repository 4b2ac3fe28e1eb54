"""PEAR (arXiv 2602.01058): supervised fine-tuning reweighted so that reinforcement can follow.

A token weighs what the rest of the answer after it is worth: gamma^(T-t) times the product of
student-to-author probability ratios of all later tokens, in the form and with the clip values of the
published re-implementation. There the author defaults to the initial model even for answers of
another, which leaves nothing but powers of gamma at the start; name the author where it is another
model with the same tokens.
"""

from __future__ import annotations

import torch

from synth.config.objectives import Pear

__all__ = ["pear_weights"]


def pear_weights(
    log_probs: torch.Tensor, author: torch.Tensor, mask: torch.Tensor, settings: Pear
) -> torch.Tensor:
    """Weight of each token, without gradient; tensors are (answers, tokens), `mask` 1 where it is learnt."""
    mask = mask.to(log_probs.dtype)
    ratios = (log_probs.detach() - author).clamp(settings.ratio_min, settings.ratio_max) * mask
    later = ratios.flip(1).cumsum(1).flip(1) - ratios
    distance = (mask.flip(1).cumsum(1).flip(1) - mask).clamp(min=0)
    weights = settings.gamma**distance * later.exp()
    return weights.clamp(settings.weight_min, settings.weight_max) * mask
