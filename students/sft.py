"""Supervised fine-tuning with TRL's `SFTTrainer`, and the losses that weigh its tokens otherwise.

The loss is on the answers only. `sft` and `dft` (arXiv 2508.05629: -sg(p) log p a token, in every
branch of the trainer) are TRL's; `asft` and `pear` are ours, in `students/losses/`. Every one is the
mean over all tokens of an optimiser step, however the step is cut into micro-batches and processes.
"""

from __future__ import annotations

from typing import Any

import torch
from datasets import Dataset
from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from trl import SFTConfig, SFTTrainer

from synth.config.objectives import Asft, Pear
from synth.students.author import AUTHOR, WithAuthor, with_author
from synth.students.job import TrainJob
from synth.students.losses.asft import asft_loss, divergence
from synth.students.losses.pear import pear_weights
from synth.students.traced import Traced, trace
from synth.students.weights import frozen_copy, load_model, new_adapter

__all__ = ["make_trainer"]


def make_trainer(
    job: TrainJob, rows: Dataset, tokenizer: PreTrainedTokenizerBase, settings: dict[str, Any]
) -> SFTTrainer:
    """The trainer of a job, for rows of `prompt_ids` and `completion_ids`."""
    objective = job.train.objective
    model = load_model(job)
    rows = rows.map(_joined) if "prompt_ids" in rows.column_names else rows
    if objective == "pear":
        rows = with_author(rows, job, model)
    kind = {"asft": AnchoredTrainer, "pear": WeighedTrainer}.get(objective, PlainTrainer)
    trainer = kind(
        model,
        SFTConfig(
            **settings,
            packing=job.train.packing,
            completion_only_loss=True,
            loss_type="dft" if objective == "dft" else "nll",
        ),
        train_dataset=rows.remove_columns(
            [name for name in ("prompt_ids", "completion_ids") if name in rows.column_names]
        ),
        processing_class=tokenizer,
        peft_config=new_adapter(job, model),
    )
    trace(trainer)
    if isinstance(trainer, AnchoredTrainer):
        trainer.settings = job.train.asft
        # A new adapter's start is the model without it; any other start is held beside what is trained.
        if job.adapter or not job.train.lora:
            trainer.reference = frozen_copy(job).to(trainer.accelerator.device)
    if isinstance(trainer, WeighedTrainer):
        trainer.settings = job.train.pear
        trainer.data_collator = WithAuthor(trainer.data_collator)
    return trainer


def _joined(row: dict[str, list[int]]) -> dict[str, list[int]]:
    """TRL's shape of a row that is tokenised already."""
    prompt, completion = row["prompt_ids"], row["completion_ids"]
    return {
        "input_ids": prompt + completion,
        "completion_mask": [0] * len(prompt) + [1] * len(completion),
    }


class PlainTrainer(Traced, SFTTrainer):  # type: ignore[misc]  # trl is not typed
    """TRL's loss."""


class TokenTrainer(PlainTrainer):
    """A loss of our own: `losses` gives every token's, and this takes the mean."""

    def losses(self, model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Losses of the tokens that are learnt, 0 or none for others; in any shape."""
        raise NotImplementedError

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | None = None,
    ) -> torch.Tensor:
        total = (inputs["labels"][:, 1:] != -100).sum() if num_items_in_batch is None else num_items_in_batch
        loss = self.losses(model, inputs).sum() / torch.as_tensor(total).clamp(min=1)
        tokens = self.accelerator.gather_for_metrics(inputs["attention_mask"].sum()).sum().item()
        self._total_train_tokens += tokens
        self._metrics["train"]["num_tokens"] = [self._total_train_tokens]
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            loss = loss * self.accelerator.num_processes
        return loss

    def _note(self, name: str, value: torch.Tensor) -> None:
        mean = self.accelerator.gather(value.detach().float().mean()).mean().item()
        self._metrics["train"][name].append(mean)


class AnchoredTrainer(TokenTrainer):
    """ASFT. Holds the logits of all learnt tokens at once, twice: a large vocabulary wants a small batch."""

    settings: Asft
    reference: PreTrainedModel | None = None

    def losses(self, model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        labels = inputs["labels"][:, 1:]
        learnt = labels != -100
        seen = {name: inputs[name] for name in ("input_ids", "attention_mask")}
        logits = model(**seen, use_cache=False).logits[:, :-1][learnt]
        with torch.no_grad():
            start = self._start(model, seen)[:, :-1][learnt]
        log_probs = logits.float().log_softmax(-1).gather(1, labels[learnt][:, None])[:, 0]
        apart = divergence(logits, start)
        self._note("kl", apart)
        return asft_loss(log_probs, apart, self.settings.kl_weight)

    def _start(self, model: Any, seen: dict[str, torch.Tensor]) -> torch.Tensor:
        """Logits of the model as it was when the training began."""
        if self.reference is not None:
            logits: torch.Tensor = self.reference(**seen, use_cache=False).logits
            return logits
        adapted = self.accelerator.unwrap_model(model)
        assert isinstance(adapted, PeftModel)
        training = adapted.training
        adapted.eval()
        with adapted.disable_adapter():
            logits = adapted(**seen, use_cache=False).logits
        adapted.train(training)
        return logits


class WeighedTrainer(TokenTrainer):
    """PEAR."""

    settings: Pear

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        if AUTHOR not in self._signature_columns:
            self._signature_columns.append(AUTHOR)

    def losses(self, model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        author = inputs[AUTHOR]
        seen = {name: inputs[name] for name in ("input_ids", "attention_mask", "labels")}
        output = model(**seen, use_cache=False, fused_lm_head=True)
        weights = pear_weights(output.log_probs, author, output.label_mask, self.settings)
        self._note("weight", weights[output.label_mask.bool()])
        losses: torch.Tensor = -weights * output.log_probs
        return losses
