"""Losses of our own, against what their papers say, written out in plain Python."""

from __future__ import annotations

import math

import pytest
import torch

from synth.config.objectives import Pear, PrefixRft
from synth.students.losses.asft import asft_loss, divergence
from synth.students.losses.hpt import demonstration_advantage, unsolved
from synth.students.losses.pear import pear_weights
from synth.students.losses.prefix_rft import advantages, most_uncertain, prefix_length


def test_divergence_is_of_the_reference_from_the_student() -> None:
    """The direction matters: the reference's probabilities are the weights."""
    student, start = torch.tensor([[0.2, 1.4, -0.7]]), torch.tensor([[1.0, 0.1, 0.3]])
    p, q = start.softmax(-1)[0].tolist(), student.softmax(-1)[0].tolist()
    by_hand = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    backwards = sum(b * math.log(b / a) for a, b in zip(p, q, strict=True))
    assert float(divergence(student, start)) == pytest.approx(by_hand, rel=1e-5)
    assert abs(by_hand - backwards) > 1e-2
    assert float(divergence(student, student)) == pytest.approx(0, abs=1e-6)


def test_asft_weighs_by_a_probability_without_gradient() -> None:
    """The gradient of DFT's part is -p grad log p; one through p would push likely tokens twice."""
    log_probs = torch.tensor([-0.5, -3.0], requires_grad=True)
    loss = asft_loss(log_probs, torch.tensor([0.2, 0.4]), kl_weight=0.05)
    assert loss.tolist() == pytest.approx([math.exp(-0.5) * 0.5 + 0.01, math.exp(-3) * 3 + 0.02])
    loss.sum().backward()
    assert log_probs.grad is not None
    assert log_probs.grad.tolist() == pytest.approx([-math.exp(-0.5), -math.exp(-3.0)])


def test_pear_weighs_a_token_by_what_follows_it() -> None:
    """Suffix product of clipped ratios and gamma, a token's own ratio not among them, padding neither."""
    settings = Pear(gamma=0.9)
    log_probs = torch.tensor([[-1.0, -2.0, -0.5, -0.4, 0.0]], requires_grad=True)
    author = torch.tensor([[-1.5, -1.0, -0.6, -0.5, 0.0]])
    mask = torch.tensor([[0, 1, 1, 1, 0]])
    weights = pear_weights(log_probs, author, mask, settings)
    clipped = {1: max(-0.08, -1.0), 2: 0.1, 3: 0.1}
    by_hand = [
        0.0,
        0.9**2 * math.exp(clipped[2] + clipped[3]),
        0.9 * math.exp(clipped[3]),
        1.0,
        0.0,
    ]
    assert weights[0].tolist() == pytest.approx(by_hand, rel=1e-5)
    assert not weights.requires_grad
    long = pear_weights(torch.zeros(1, 80), torch.full((1, 80), -9.0), torch.ones(1, 80), Pear())
    assert long.max() == 10 and long[0, -1] == 1


def test_hpt_takes_demonstrations_where_nobody_succeeds() -> None:
    """At or below the gate, and with an advantage that makes their part the mean NLL of the prompt."""
    scores = torch.tensor([0.0, 0, 0, 1, 0, 0, 1, 1, 0.9])
    assert unsolved(scores, 3, gate=0).tolist() == [True, False, False]
    assert unsolved(scores, 3, gate=1).tolist() == [True, True, False]
    assert unsolved(torch.tensor([0.9, 0.9]), 2, gate=0).tolist() == [True]
    nll, attempts, longest = [0.3, 0.8], 4, 16
    advantage = demonstration_advantage(len(nll), attempts, longest, nll=0.5)
    # TRL's dr_grpo: the sum over all tokens, divided by attempts times the longest attempt.
    assert sum(advantage * one for one in nll) / (attempts * longest) == pytest.approx(0.5 * sum(nll) / 2)


def test_prefixes_shorten_and_are_held_against_the_others() -> None:
    """Bounds fall along a cosine; a prefix never is the whole; only the unsure tokens learn."""
    settings = PrefixRft(longest=0.9, shortest_start=0.8, shortest_end=0.2)
    assert prefix_length(0.0, 0.0, 10, settings) == 8
    assert prefix_length(0.0, 0.5, 10, settings) == 5
    assert prefix_length(0.0, 1.0, 10, settings) == 2
    assert prefix_length(0.999, 1.0, 10, settings) == 8
    assert prefix_length(0.999, 0.0, 1, PrefixRft(longest=1.0)) == 0
    assert advantages(torch.tensor([1.0, 0.0, 0.8, 1.0, 1.0, 0.0]), 3).tolist() == pytest.approx(
        [0.5, -0.5, 0.3, 0.0, 0.0, -1.0]
    )
    kept = most_uncertain(torch.tensor([0.1, 2.0, 0.5, 1.0, 9.0]), length=4, share=0.5)
    assert kept.tolist() == [0, 1, 0, 1, 0]
