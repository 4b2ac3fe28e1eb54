"""Every preference loss that a flow file can name, against its paper's formula in plain Python."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pytest
import torch
import trl
from transformers import AutoModelForCausalLM, AutoTokenizer

from synth.config.objectives import SMOOTHED, Dpo, DpoLoss
from synth.students.dpo import PairTrainer, loss_settings, make_trainer
from synth.students.examples import load_examples
from synth.students.job import TrainJob
from synth.students.settings import trl_settings
from synth.students.tokens import ROW, tokenised

from .test_dpo import Pair, log_probs, make_pair_job, one_batch, pairs

__all__ = ["make_pair_job", "pairs"]  # fixtures

BETA, SMOOTHING, TAU = 0.3, 0.1, 0.05


class Answer(NamedTuple):
    """One answer: its log-probability now and at the start, in nats, and its tokens."""

    now: float
    start: float
    tokens: int

    @property
    def gain(self) -> float:
        return self.now - self.start


def log_sigmoid(x: float) -> float:
    return -math.log1p(math.exp(-x))


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def softened(margin: float) -> float:
    """-log sigma, with a share of the pairs the other way round."""
    return -(1 - SMOOTHING) * log_sigmoid(BETA * margin) - SMOOTHING * log_sigmoid(-BETA * margin)


def exo(margin: float) -> float:
    """Kullback-Leibler divergence of the student's choice of a side from the smoothed labels (2402.00856)."""
    sides = ((sigmoid(BETA * margin), 1 - SMOOTHING), (sigmoid(-BETA * margin), SMOOTHING))
    return sum(ours * math.log(ours / label) for ours, label in sides)


def discovered(margin: float) -> float:
    """Log-sigmoid and exponential, mixed by how far the pair is apart (2406.08414)."""
    share = sigmoid(BETA * margin / TAU)
    return -log_sigmoid(BETA * margin) * (1 - share) + math.exp(-BETA * margin) * share


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def of_pairs(formula: Callable[[Answer, Answer], float]) -> Callable[[list[Answer], list[Answer]], float]:
    return lambda chosen, rejected: mean([formula(c, r) for c, r in zip(chosen, rejected, strict=True)])


def transported(chosen: list[Answer], rejected: list[Answer]) -> float:
    """Sorted log-ratios of chosen over rejected, now and at the start (2406.05882)."""
    pairs = list(zip(chosen, rejected, strict=True))
    now, start = sorted(c.now - r.now for c, r in pairs), sorted(c.start - r.start for c, r in pairs)
    return mean([softened(a - b) for a, b in zip(now, start, strict=True)])


def transported_unpaired(chosen: list[Answer], rejected: list[Answer]) -> float:
    gains = (sorted(one.gain for one in side) for side in (chosen, rejected))
    return mean([softened(c - r) for c, r in zip(*gains, strict=True)])


FORMULAS: dict[DpoLoss, Callable[[list[Answer], list[Answer]], float]] = {
    "sigmoid": of_pairs(lambda c, r: -log_sigmoid(BETA * (c.gain - r.gain))),
    "hinge": of_pairs(lambda c, r: max(0.0, 1 - BETA * (c.gain - r.gain))),
    "ipo": of_pairs(lambda c, r: (c.gain / c.tokens - r.gain / r.tokens - 1 / (2 * BETA)) ** 2),
    "exo_pair": of_pairs(lambda c, r: exo(c.gain - r.gain)),
    "nca_pair": of_pairs(
        lambda c, r: (
            -log_sigmoid(BETA * c.gain) - (log_sigmoid(-BETA * c.gain) + log_sigmoid(-BETA * r.gain)) / 2
        )
    ),
    "robust": of_pairs(
        lambda c, r: (
            (
                SMOOTHING * log_sigmoid(-BETA * (c.gain - r.gain))
                - (1 - SMOOTHING) * log_sigmoid(BETA * (c.gain - r.gain))
            )
            / (1 - 2 * SMOOTHING)
        )
    ),
    "bco_pair": of_pairs(lambda c, r: -log_sigmoid(BETA * c.gain) - log_sigmoid(-BETA * r.gain)),
    "sppo_hard": of_pairs(lambda c, r: (c.gain - 0.5 / BETA) ** 2 + (r.gain + 0.5 / BETA) ** 2),
    "aot": transported,
    "aot_unpaired": transported_unpaired,
    "apo_zero": of_pairs(lambda c, r: 1 - sigmoid(BETA * c.gain) + sigmoid(BETA * r.gain)),
    "apo_down": of_pairs(lambda c, r: sigmoid(BETA * c.gain) + 1 - sigmoid(BETA * (c.gain - r.gain))),
    "discopop": of_pairs(lambda c, r: discovered(c.gain - r.gain)),
    "sft": lambda chosen, _: -sum(one.now for one in chosen) / sum(one.tokens for one in chosen),
    "sigmoid_norm": of_pairs(lambda c, r: -log_sigmoid(BETA * (c.gain / c.tokens - r.gain / r.tokens))),
}


class Moved(NamedTuple):
    """A trainer whose student has left its start, a batch, and the batch's answers by hand."""

    trainer: PairTrainer
    batch: dict[str, Any]
    chosen: list[Answer]
    rejected: list[Answer]


@pytest.fixture
def moved(make_pair_job: Callable[..., TrainJob], tmp_path: Path, tiny: Path, pairs: Path) -> Moved:
    """Four pairs; the student's weights are pushed at random, its reference stays."""
    data, rows = one_batch(tmp_path, pairs)
    job = make_pair_job(data=data)
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    taken = tokenised(load_examples(data, ("prompt", "chosen", "rejected")), tokenizer, job.train, {})
    trainer = make_trainer(job, taken.rows, tokenizer, trl_settings(job, 1))
    batch = dict(next(iter(trainer.get_train_dataloader())))
    order = batch.pop(ROW).tolist()
    draw = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for weight in trainer.model.parameters():
            weight += 0.02 * torch.randn(weight.shape, generator=draw)
    start = AutoModelForCausalLM.from_pretrained(tiny)
    sides = (
        [_answer(trainer.model, start, rows[at], side) for at in order] for side in ("chosen", "rejected")
    )
    return Moved(trainer, batch, *sides)


def _answer(now: Any, start: Any, pair: Pair, side: str) -> Answer:
    both = [log_probs(model, pair, side) for model in (now, start)]
    return Answer(float(both[0].sum()), float(both[1].sum()), len(both[0]))


def test_every_loss_is_its_papers(moved: Moved) -> None:
    """With another student than reference, so that no term is at the value it starts from."""
    assert set(FORMULAS) == set(get_args(DpoLoss))
    assert min(abs(one.gain) for one in moved.chosen + moved.rejected) > 0.01
    for loss, formula in FORMULAS.items():
        smoothing = SMOOTHING if loss in SMOOTHED else 0.0
        told = loss_settings(Dpo(loss=loss, beta=BETA, label_smoothing=smoothing))
        moved.trainer.beta, moved.trainer.label_smoothing = told["beta"], told["label_smoothing"]
        moved.trainer.loss_types, moved.trainer.loss_weights = told["loss_type"], told["loss_weights"]
        found = float(moved.trainer.compute_loss(moved.trainer.model, dict(moved.batch)).detach())
        assert found == pytest.approx(formula(moved.chosen, moved.rejected), rel=1e-3), loss


def test_losses_are_those_of_trl() -> None:
    """A name the flow file takes is a name TRL takes; unfit combinations are refused before a run."""
    doc = re.search(
        r"loss_type \(.*?Possible values are: (.*?)\. If multiple", trl.DPOConfig.__doc__ or "", re.S
    )
    assert doc is not None
    assert set(re.findall(r"`'(\w+)'`", doc[1])) == set(get_args(DpoLoss))
    with pytest.raises(ValueError, match="no averaged form"):
        Dpo(loss="hinge", length_normalised=True)
    with pytest.raises(ValueError, match=r"label_smoothing: 0\.001"):
        Dpo(loss="exo_pair")
    with pytest.raises(ValueError, match="'sigmoid' takes no label_smoothing"):
        Dpo(label_smoothing=0.1)
