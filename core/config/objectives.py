"""What a model can be trained for, and the settings each objective has of its own."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from synth.config.strict import Strict

__all__ = [
    "NEEDS",
    "Asft",
    "Dpo",
    "DpoLoss",
    "Grpo",
    "Hpt",
    "Kto",
    "Material",
    "Objective",
    "Orpo",
    "Pear",
    "PrefixRft",
    "Simpo",
]

Objective = Literal[
    "sft",
    "dft",
    "asft",
    "pear",
    "response-only",
    "dpo",
    "kto",
    "orpo",
    "simpo",
    "grpo",
    "prefix-rft",
    "hpt",
]
Material = Literal["answers", "pairs", "truths", "demonstrations"]
"""Kinds of training data: prompts with one answer, with a better and a worse one, with what is known to
be right, with both that and an answer."""

NEEDS: dict[Objective, Material] = {
    "sft": "answers",
    "dft": "answers",
    "asft": "answers",
    "pear": "answers",
    "response-only": "answers",
    "dpo": "pairs",
    "kto": "pairs",
    "orpo": "pairs",
    "simpo": "pairs",
    "grpo": "truths",
    "prefix-rft": "demonstrations",
    "hpt": "demonstrations",
}
"""Objective -> what it learns from."""

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
AVERAGED = "sigmoid_norm"
"""TRL's name of the loss that averages log-probabilities."""
SMOOTHED = ("robust", "exo_pair", "aot", "aot_unpaired")
"""Losses that take some pairs for the wrong way round; with others TRL passes over `label_smoothing`."""


class Dpo(Strict):
    """Direct preference optimisation (arXiv 2305.18290) and its relatives."""

    beta: float = Field(default=0.1, gt=0)
    """Strength of the pull towards the reference. Where log-probabilities are averaged it is 5 by default
    (5 to 10 in arXiv 2507.06187): the two kinds of loss differ by the length of an answer."""
    loss: DpoLoss = "sigmoid"
    """TRL's name of the loss."""
    length_normalised: bool = False
    """Log-probabilities averaged over an answer's tokens instead of summed (arXiv 2507.06187).
    Only for the `sigmoid` loss."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=0.5)
    """Share of pairs taken to be the wrong way round; for `robust` (0.1), `exo_pair` (0.001), both `aot`."""
    nll: float = Field(default=0.0, ge=0)
    """Weight of the chosen answer's negative log-likelihood (mean over its tokens), added to the loss."""
    stop_when_both_fall: float | None = Field(default=None, gt=0)
    """Training stops once both answers lost so many nats a token against the start."""
    pull_at: float = Field(default=0.5, gt=0, lt=1)
    """A pair still pulls where sigmoid(-margin) is at least this, for the log alone (arXiv 2510.02341)."""
    gradient_pairs: int = Field(default=0, ge=0)
    """Pairs of each step whose gradients of chosen and rejected answer are compared, for the log alone
    (arXiv 2510.02341); each takes a pass more. Only on one GPU or CPU."""

    @model_validator(mode="before")
    @classmethod
    def _beta_of_its_kind(cls, data: Any) -> Any:
        """Averaged and summed log-probabilities never share a default."""
        averaged = isinstance(data, dict) and (data.get("length_normalised") or data.get("loss") == AVERAGED)
        return {"beta": 5.0, **data} if averaged else data

    @property
    def averaged(self) -> bool:
        """Whether log-probabilities are averaged over an answer's tokens."""
        return self.length_normalised or self.loss == AVERAGED

    @model_validator(mode="after")
    def _losses_go_together(self) -> Dpo:
        if self.length_normalised and self.loss not in ("sigmoid", AVERAGED):
            raise ValueError(f"'{self.loss}' has no averaged form; write 'loss: sigmoid', or leave it out")
        if self.label_smoothing and self.loss not in SMOOTHED:
            known = ", ".join(SMOOTHED)
            raise ValueError(f"'{self.loss}' takes no label_smoothing; leave it out, or write loss: {known}")
        if self.loss == "exo_pair" and not self.label_smoothing:
            raise ValueError("'exo_pair' needs some label_smoothing; write 'label_smoothing: 0.001'")
        return self


class Kto(Strict):
    """Kahneman-Tversky optimisation (arXiv 2402.01306): every answer of a pair is good or bad by itself."""

    beta: float = Field(default=0.1, gt=0)
    """Strength of the pull towards the reference."""
    desirable_weight: float = Field(default=1.0, ge=0)
    """Weight of the good answers' losses."""
    undesirable_weight: float = Field(default=1.0, ge=0)
    """Weight of the bad answers' losses."""


class Orpo(Strict):
    """Odds-ratio preference optimisation, without a reference (arXiv 2403.07691)."""

    beta: float = Field(default=0.1, ge=0)
    """Weight of the odds ratio beside the likelihood of the chosen answer; the paper's lambda."""


class Simpo(Strict):
    """Simple preference optimisation, without a reference (arXiv 2405.14734)."""

    beta: float = Field(default=2.0, gt=0)
    """Scale of the reward, which is the mean log-probability of an answer's tokens; 2 to 10."""
    gamma: float = Field(default=1.0, ge=0)
    """Margin of reward to be reached; the authors suggest a quarter to a half of beta and more."""
    nll: float = Field(default=0.0, ge=0)
    """Weight of the chosen answer's negative log-likelihood; the published objective has none."""


class Asft(Strict):
    """Anchored supervised fine-tuning (arXiv 2509.23753)."""

    kl_weight: float = Field(default=0.05, ge=0)
    """Weight of KL(reference || student) a token, in nats; the paper's lambda, 0.05 to 0.1."""


class Pear(Strict):
    """Supervised fine-tuning reweighted to prepare for reinforcement (arXiv 2602.01058)."""

    gamma: float = Field(default=0.999, gt=0, le=1)
    """Discount of a token for each token that follows it."""
    ratio_min: float = -0.08
    """Least log-ratio, student to author, that a token counts with, in nats."""
    ratio_max: float = 0.3
    """Largest, likewise."""
    weight_min: float = Field(default=0.1, gt=0)
    """Least weight of a token."""
    weight_max: float = Field(default=10.0, gt=0)
    """Largest weight of a token."""
    author: str | None = None
    """Folder of the model that wrote the answers, if it has the student's tokens; left out, the student
    as it was when the training began, which is right for answers of its own."""


class Grpo(Strict):
    """Group relative policy optimisation (arXiv 2402.03300), rewarded by the flow file's verifier."""

    generations: int = Field(default=8, gt=1)
    """Answers to a prompt; `batch_size` times `gradient_accumulation` counts answers and is a multiple."""
    max_tokens: int = Field(default=256, gt=0)
    """Longest answer."""
    temperature: float = Field(default=1.0, gt=0)
    """Of the attempts."""
    beta: float = Field(default=0.0, ge=0)
    """Weight of the KL divergence from the start of the training; 0 needs no reference."""
    epsilon: float = Field(default=0.2, gt=0)
    """Clip range of the probability ratio."""
    loss: Literal["grpo", "bnpo", "dr_grpo", "dapo"] = "dapo"
    """TRL's name of how tokens are averaged."""
    scale: Literal["group", "batch", "none"] = "group"
    """What an advantage is divided by: the standard deviation of its prompt's rewards, of all, or nothing."""
    vllm: bool = False
    """Answers by a vLLM inside the training process; only on a GPU."""
    vllm_memory: float = Field(default=0.3, gt=0, lt=1)
    """Share of the GPU's memory that this vLLM may take."""


class PrefixRft(Strict):
    """Reinforcement with the beginnings of demonstrations (arXiv 2507.01679); `train.grpo` holds the rest."""

    longest: float = Field(default=0.95, gt=0, le=1)
    """Upper bound of the share of a demonstration that is given, all through the training."""
    shortest_start: float = Field(default=0.95, ge=0, le=1)
    """Lower bound at the first step."""
    shortest_end: float = Field(default=0.05, ge=0, le=1)
    """Lower bound at the last step; it falls along a cosine."""
    uncertain: float = Field(default=0.2, gt=0, le=1)
    """Share of a prefix's tokens that are learnt: those the student is least sure of."""


class Hpt(Strict):
    """Hybrid post-training (arXiv 2509.04419): demonstrations where no attempt succeeds; see `train.grpo`."""

    gate: int = Field(default=0, ge=0)
    """Most successes among a prompt's attempts at which the demonstration takes their place."""
    nll: float = Field(default=1.0, gt=0)
    """Weight of the demonstration's loss; the paper has 0.3 for its smallest model."""
