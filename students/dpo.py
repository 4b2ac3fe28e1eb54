"""Preference training with TRL's `DPOTrainer`, one of its losses by name (arXiv 2305.18290 and others).

The reference is the model as it was when the training began: the adapter that is gone on
from, not the bare base model under it. Its log-probabilities are computed once, before the
first step, from the very weights that are then trained, so no second model is held.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from datasets import Dataset, load_from_disk
from peft import PeftModel
from transformers import PreTrainedTokenizerBase
from trl import DPOConfig, DPOTrainer

from synth.config.flowfile import Dpo
from synth.students.gradients import gradient_differences
from synth.students.job import TrainJob
from synth.students.traced import Traced, trace
from synth.students.weights import load_model, new_adapter

__all__ = ["PairTrainer", "loss_settings", "make_trainer", "shared"]


def make_trainer(
    job: TrainJob, rows: Dataset, tokenizer: PreTrainedTokenizerBase, settings: dict[str, Any]
) -> DPOTrainer:
    """The trainer of a job, for rows of `prompt_ids`, `chosen_ids` and `rejected_ids`."""
    model = load_model(job)
    trainer = PairTrainer(
        model,
        args=DPOConfig(**settings, **loss_settings(job.train.dpo), precompute_ref_log_probs=True),
        train_dataset=shared(rows, job.checkpoints / "rows"),
        processing_class=tokenizer,
        peft_config=new_adapter(job, model),
    )
    trainer.averages = trainer.loss_types[0] == "sigmoid_norm"
    trainer.pull_at = job.train.dpo.pull_at
    # Several processes may hold only a part of the weights each.
    trainer.compared = job.train.dpo.gradient_pairs if trainer.accelerator.num_processes == 1 else 0
    trace(trainer)
    if isinstance(trainer.model, PeftModel) and "ref" in trainer.model.peft_config:
        # TRL's copy of the adapter as it was at the start, needed no more; it would be saved with each
        # checkpoint, and a checkpoint of two adapters is not the one that training goes on from.
        trainer.model.delete_adapter("ref")
    return trainer


def shared(rows: Dataset, folder: Path) -> Dataset:
    """The rows in files that every process sees; TRL puts the reference's log-probabilities beside them.

    Once there they serve a training that goes on as well. They go with the checkpoints.
    """
    with PartialState().main_process_first():
        if not folder.exists():
            part = folder.with_name("rows.part")
            shutil.rmtree(part, ignore_errors=True)
            rows.save_to_disk(part)
            part.rename(folder)
    return load_from_disk(folder)


def loss_settings(dpo: Dpo) -> dict[str, Any]:
    """TRL's names for our settings of the loss."""
    loss = "sigmoid_norm" if dpo.length_normalised else dpo.loss
    return {
        "beta": dpo.beta,
        "loss_type": [loss, "sft"] if dpo.nll else [loss],
        "loss_weights": [1.0, dpo.nll] if dpo.nll else [1.0],
        "label_smoothing": dpo.label_smoothing,
    }


class PairTrainer(Traced, DPOTrainer):  # type: ignore[misc]  # trl is not typed
    """Takes rows that are tokenised already, and notes what becomes of the pairs."""

    averages = False
    """Whether margins are of log-probabilities averaged over an answer's tokens."""
    pull_at = 0.5
    """A pair still pulls at the weights where sigmoid(-margin) is at least this."""
    compared = 0
    """Pairs of each step whose gradients are compared."""

    def _prepare_dataset(self, dataset: Dataset, *rest: Any) -> Dataset:
        return dataset

    def _compute_loss(self, model: Any, inputs: dict[str, torch.Tensor], return_outputs: bool) -> Any:
        with _log_probs(self.model) as seen:
            loss = super()._compute_loss(model, inputs, return_outputs)
        self._note(seen[0], inputs)
        if self.compared and self.model.training:
            norms = gradient_differences(self.accelerator.unwrap_model(model), inputs, self.compared)
            self._metrics["train"]["gradient_difference"].append(torch.stack(norms).mean().item())
        return loss

    def _note(self, log_probs: torch.Tensor, inputs: dict[str, torch.Tensor]) -> None:
        """Log-probabilities are in nats a token, `..._change` is since the start of the training."""
        tokens = inputs["completion_mask"][:, 1:].sum(1).clamp(min=1)
        now = log_probs[:, -(inputs["completion_mask"].size(1) - 1) :].sum(1)
        start = torch.cat([inputs["ref_chosen_logps"], inputs["ref_rejected_logps"]])
        moved = (now - start) / (tokens if self.averages else 1)
        margin = self.beta * (moved[: len(moved) // 2] - moved[len(moved) // 2 :])
        pull = torch.sigmoid(-margin)
        logp, change = (now / tokens).chunk(2), ((now - start) / tokens).chunk(2)
        figures = {
            "margin": margin,
            "accuracy": (margin > 0).float(),
            "chosen_logp": logp[0],
            "rejected_logp": logp[1],
            "chosen_change": change[0],
            "rejected_change": change[1],
            "pull": pull,
            "pull_share": (pull >= self.pull_at).float(),
        }
        for name, values in figures.items():
            mean = self.accelerator.gather(values.detach()).mean().item()
            self._metrics["train" if self.model.training else "eval"][name].append(mean)


@contextmanager
def _log_probs(model: torch.nn.Module) -> Iterator[list[torch.Tensor]]:
    """The log-probabilities of tokens that a model comes to inside, a tensor a pass."""
    seen: list[torch.Tensor] = []
    handle = model.register_forward_hook(lambda _, __, output: seen.append(output.log_probs.detach()))
    try:
        yield seen
    finally:
        handle.remove()
