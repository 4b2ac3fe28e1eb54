"""How models learn, in rounds and before the first."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from synth.config.strict import Strict

__all__ = ["Dpo", "DpoLoss", "Lora", "Train", "WarmStart"]


class Lora(Strict):
    """Low-rank adapters (arXiv 2106.09685)."""

    r: int = Field(default=16, gt=0)
    alpha: int = Field(default=32, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    layers: int | None = Field(default=None, gt=0)
    """Adapt only the top N layers; all when left out."""


DpoLoss = Literal[
    "sigmoid",
    "hinge",
    "ipo",
    "exo_pair",
    "nca_pair",
    "robust",
    "bco_pair",
    "sppo_hard",
    "aot",
    "aot_unpaired",
    "apo_zero",
    "apo_down",
    "discopop",
    "sft",
    "sigmoid_norm",
]


class Dpo(Strict):
    """Direct preference optimisation (arXiv 2305.18290) and its relatives."""

    beta: float = Field(default=0.1, gt=0)
    """Strength of the pull towards the reference; 5 to 10 where log-probabilities are averaged."""
    loss: DpoLoss = "sigmoid"
    """TRL's name of the loss."""
    length_normalised: bool = False
    """Log-probabilities averaged over an answer's tokens instead of summed (arXiv 2507.06187).
    Only for the `sigmoid` loss."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=0.5)
    """Share of pairs taken to be the wrong way round; only for `robust` (0.1) and `exo_pair` (0.001)."""
    nll: float = Field(default=0.0, ge=0)
    """Weight of the chosen answer's negative log-likelihood (mean over its tokens), added to the loss."""
    stop_when_both_fall: float | None = Field(default=None, gt=0)
    """Training stops once both answers lost so many nats a token against the start."""

    @model_validator(mode="after")
    def _losses_go_together(self) -> Dpo:
        if self.length_normalised and self.loss not in ("sigmoid", "sigmoid_norm"):
            raise ValueError(f"'{self.loss}' has no averaged form; write 'loss: sigmoid', or leave it out")
        if self.loss == "exo_pair" and not self.label_smoothing:
            raise ValueError("'exo_pair' needs some label_smoothing; write 'label_smoothing: 0.001'")
        return self


class Train(Strict):
    """How a model learns. Rates and counts are per optimiser step."""

    objective: Literal["sft", "dpo"] = "sft"
    dpo: Dpo = Dpo()
    """Only for `objective: dpo`."""
    lora: Lora | None = Lora()
    """`null` trains all weights."""
    learning_rate: float = Field(default=1e-4, gt=0)
    epochs: float = Field(default=1.0, gt=0)
    batch_size: int = Field(default=8, gt=0)
    gradient_accumulation: int = Field(default=1, gt=0)
    warmup_ratio: float = Field(default=0.03, ge=0, lt=1)
    scheduler: Literal["constant", "linear", "cosine", "constant_with_warmup"] = "cosine"
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    max_length: int = Field(default=1024, gt=0)
    """Tokens of prompt plus answer; longer examples are rejected, never cut silently."""
    packing: bool = False
    save_steps: int = Field(default=50, gt=0)
    """A checkpoint every so many steps, to go on from after a crash."""
    seed: int = 0
    threads: int | None = Field(default=None, gt=0)
    """CPU threads; by default all."""


class WarmStart(Strict):
    """Training of the student before round 1, on answers a program gives; done once and kept in the cache."""

    data: str
    """Name of the data source whose questions are answered."""
    program: str
    """`module:function` that answers them."""
    samples: int = Field(default=1, gt=0)
    """Answers to each question."""
    train: Train = Train(lora=None, learning_rate=2e-5)
    """All weights, by `sft`. A scratch model has its base training on these data instead."""

    @field_validator("train")
    @classmethod
    def _whole_weights(cls, train: Train) -> Train:
        if train.lora is not None or train.objective != "sft":
            raise ValueError(
                "a warm start makes a new base model; write 'objective: sft' and 'lora: null' under it"
            )
        return train
