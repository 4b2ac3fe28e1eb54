"""Anchored supervised fine-tuning (arXiv 2509.23753): DFT's loss, held near the start of the training.

Of every token: -sg(p) log p + w KL(reference || student), the divergence taken over the whole
vocabulary with the reference's probabilities as targets, as in the authors' code; then the mean over
all tokens of the optimiser step. A widespread re-implementation takes the mean over each micro-batch
instead, so that tokens of short batches weigh more under gradient accumulation.
"""

from __future__ import annotations

import torch

__all__ = ["asft_loss", "divergence"]


def asft_loss(log_probs: torch.Tensor, divergences: torch.Tensor, kl_weight: float) -> torch.Tensor:
    """Loss of each token from its log-probability and its divergence, both in nats."""
    return -log_probs.exp().detach() * log_probs + kl_weight * divergences


def divergence(logits: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """KL(reference || student) of each row of logits, in nats."""
    student, start = logits.float().log_softmax(-1), reference.float().log_softmax(-1)
    return (start.exp() * (start - student)).sum(-1)
