"""How models learn, in rounds and before the first."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from synth.config.objectives import (
    NEEDS,
    Asft,
    Dpo,
    Grpo,
    Hpt,
    Kto,
    Objective,
    Orpo,
    Pear,
    PrefixRft,
    Simpo,
)
from synth.config.strict import Strict

__all__ = ["Lora", "Train", "WarmStart"]


class Lora(Strict):
    """Low-rank adapters (arXiv 2106.09685)."""

    r: int = Field(default=16, gt=0)
    alpha: int = Field(default=32, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    layers: int | None = Field(default=None, gt=0)
    """Adapt only the top N layers; all when left out."""
    bits: Literal[4] | None = None
    """4: the frozen weights are held in four bits (QLoRA, arXiv 2305.14314); only on a GPU."""


class Train(Strict):
    """How a model learns. Rates and counts are per optimiser step."""

    recipe: str | None = None
    """Settings of a paper, by name, or a YAML file of your own; what is written beside it goes first."""
    objective: Objective = "sft"
    """What is minimised, on which kind of data."""
    trainer: str | None = None
    """`module:function` of your own that makes the trainer, in the place of the objective's: called with the
    job, the rows, the tokenizer and the settings for TRL, it returns a `transformers.Trainer`."""
    dpo: Dpo = Dpo()
    """Only for `objective: dpo`."""
    kto: Kto = Kto()
    """Only for `objective: kto`."""
    orpo: Orpo = Orpo()
    """Only for `objective: orpo`."""
    simpo: Simpo = Simpo()
    """Only for `objective: simpo`."""
    asft: Asft = Asft()
    """Only for `objective: asft`."""
    pear: Pear = Pear()
    """Only for `objective: pear`."""
    grpo: Grpo = Grpo()
    """For `objective: grpo`, and for `prefix-rft` and `hpt`, which make their attempts by it."""
    prefix_rft: PrefixRft = PrefixRft()
    """Only for `objective: prefix-rft`."""
    hpt: Hpt = Hpt()
    """Only for `objective: hpt`."""
    lora: Lora | None = Lora()
    """`null` trains all weights."""
    learning_rate: float = Field(default=1e-4, gt=0)
    epochs: float = Field(default=1.0, gt=0)
    batch_size: int = Field(default=8, gt=0)
    gradient_accumulation: int = Field(default=1, gt=0)
    warmup_ratio: float = Field(default=0.03, ge=0, lt=1)
    scheduler: Literal["constant", "linear", "cosine", "constant_with_warmup"] = "cosine"
    final_rate: float = Field(default=0.0, ge=0, lt=1)
    """Share of the learning rate at which a cosine ends."""
    optimizer: Literal["adamw", "rmsprop", "paged-adamw-8bit"] = "adamw"
    """`paged-adamw-8bit` is of bitsandbytes; only on a GPU."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Decay of AdamW's two means."""
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    max_length: int = Field(default=1024, gt=0)
    """Tokens of prompt plus answer; longer examples are rejected, never cut silently."""
    overlong: Literal["leave-out", "cut"] = "leave-out"
    """What becomes of an example that is longer: left out and counted, or its answers cut to fit and ended
    there as if they were whole, as published code often does (arXiv 2507.06187)."""
    group_by_length: bool = False
    """Batches of examples about equally long, which spares padding; only for `sft`, `dft`, `asft`, `pear`."""
    packing: bool = False
    """Several examples a sequence; only for `sft` and `dft`."""
    loss_on: Literal["answer", "assistant"] = "answer"
    """What is learnt of a conversation: its last answer, or every assistant turn, those of the prompt too."""
    save_steps: int = Field(default=50, gt=0)
    """A checkpoint every so many steps, to go on from after a crash."""
    seed: int = 0
    threads: int | None = Field(default=None, gt=0)
    """CPU threads; by default all."""
    launch: str | None = None
    """How several processes train together: a configuration of `accelerate`, by name or as a YAML file.
    Left out, one process, or one a GPU."""
    trackers: tuple[Literal["trackio", "wandb", "mlflow"], ...] = ()
    """Who else is told of every step; must be installed."""

    @model_validator(mode="after")
    def _settings_go_together(self) -> Train:
        if self.packing and self.objective not in ("sft", "dft"):
            raise ValueError(f"'{self.objective}' cannot be packed; write 'packing: false'")
        if self.group_by_length and (self.packing or self.objective not in ("sft", "dft", "asft", "pear")):
            raise ValueError(
                "group_by_length sorts whole answers; leave it out, or write packing: false, objective: sft"
            )
        if self.loss_on == "assistant" and NEEDS[self.objective] != "answers":
            raise ValueError(f"'{self.objective}' learns whole answers; write 'loss_on: answer'")
        if self.loss_on == "assistant" and self.objective == "response-only":
            raise ValueError("'response-only' leaves the prompt out; write 'loss_on: answer'")
        if NEEDS[self.objective] == "demonstrations" and self.grpo.loss != "dr_grpo":
            raise ValueError(f"'{self.objective}' goes by Dr.GRPO; write 'loss: dr_grpo' under grpo")
        if NEEDS[self.objective] == "demonstrations" and (self.grpo.beta or self.grpo.vllm):
            raise ValueError(f"'{self.objective}' has neither; write 'beta: 0' and 'vllm: false' under grpo")
        answers, group = self.batch_size * self.gradient_accumulation, self.grpo.generations
        if NEEDS[self.objective] in ("truths", "demonstrations") and answers % group:
            raise ValueError(
                f"a step of {answers} answers (batch_size times gradient_accumulation) cannot be shared by "
                f"groups of {group}; make it a multiple of grpo.generations"
            )
        return self


class WarmStart(Strict):
    """Training of the student before round 1, on answers a program gives; done once and kept in the cache."""

    data: str
    """Name of the data source whose questions are answered."""
    program: str
    """`module:function` that answers them."""
    dialogue: str | None = None
    """`module:function` that puts turns between a question and its answer: it is called with the question's
    messages and the answer's number, and returns the messages to answer."""
    samples: int = Field(default=1, gt=0)
    """Answers to each question."""
    train: Train = Train(lora=None, learning_rate=2e-5)
    """All weights, by `sft`. A scratch model has its base training on the answers instead, and this one only
    where there are dialogues, after it."""

    @field_validator("train")
    @classmethod
    def _whole_weights(cls, train: Train) -> Train:
        if train.lora is not None or train.objective != "sft":
            raise ValueError(
                "a warm start makes a new base model; write 'objective: sft' and 'lora: null' under it"
            )
        return train
