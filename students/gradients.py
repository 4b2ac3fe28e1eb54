"""How far the gradients of a pair's two answers differ: a diagnostic of DRIFT (arXiv 2510.02341).

The paper bounds the gradient of DPO from below by beta, the share of pairs that still pull, and
this difference. Where the student tells chosen from rejected by nothing any more, it dies away.
"""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["gradient_differences"]


def gradient_differences(
    model: torch.nn.Module, inputs: dict[str, torch.Tensor], pairs: int
) -> list[torch.Tensor]:
    """Norm of grad log p(chosen) - grad log p(rejected) of the first pairs of a batch, one a pair.

    Log-probabilities are sums over an answer's tokens, gradients those of the weights that learn.
    The batch holds the chosen answers first, then as many rejected ones. Nothing of the training is
    touched: no gradient that the weights hold, and no random number.
    """
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    half = len(inputs["input_ids"]) // 2
    norms = []
    model.eval()  # without dropout
    try:
        for index in range(min(pairs, half)):
            rows = torch.tensor([index, half + index], device=inputs["input_ids"].device)
            chosen, rejected = _log_probs(model, {name: inputs[name][rows] for name in _NEEDED})
            found = torch.autograd.grad(chosen - rejected, weights, allow_unused=True)
            norms.append(torch.stack([gradient.norm() for gradient in found if gradient is not None]).norm())
    finally:
        model.train()
    return norms


_NEEDED = ("input_ids", "attention_mask", "completion_mask")


def _log_probs(model: torch.nn.Module, batch: dict[str, Any]) -> torch.Tensor:
    """Log-probability of each row's answer."""
    ids, mask = batch["input_ids"], batch["completion_mask"][:, 1:]
    logits = model(input_ids=ids, attention_mask=batch["attention_mask"], use_cache=False).logits[:, :-1]
    tokens = logits.float().log_softmax(-1).gather(-1, ids[:, 1:, None])[..., 0]
    answers: torch.Tensor = (tokens * mask).sum(1)
    return answers
