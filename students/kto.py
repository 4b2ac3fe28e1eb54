"""KTO with TRL's `KTOTrainer`: each answer of a pair is good or bad by itself (arXiv 2402.01306)."""

from __future__ import annotations

from typing import Any

from datasets import Dataset, concatenate_datasets
from peft import PeftModel
from transformers import PreTrainedTokenizerBase
from trl import KTOConfig, KTOTrainer

from synth.errors import TrainError
from synth.students.dpo import shared
from synth.students.job import TrainJob
from synth.students.traced import Traced, trace
from synth.students.weights import load_model, new_adapter

__all__ = ["make_trainer", "unpaired"]


def make_trainer(
    job: TrainJob, rows: Dataset, tokenizer: PreTrainedTokenizerBase, settings: dict[str, Any]
) -> KTOTrainer:
    """The trainer of a job, for rows of `prompt_ids`, `chosen_ids` and `rejected_ids`."""
    batch = settings["per_device_train_batch_size"]
    if batch < 2:
        raise TrainError(
            "train.objective: kto: the divergence is estimated from the other answers of a batch, and "
            "batch_size 1 leaves none",
            "write train.batch_size: 2 or more for every process",
        )
    kto = job.train.kto
    model = load_model(job)
    alone = shared(unpaired(rows, job.train.seed, batch), job.checkpoints / "rows")
    trainer = SingleTrainer(
        model,
        args=KTOConfig(
            **settings,
            beta=kto.beta,
            desirable_weight=kto.desirable_weight,
            undesirable_weight=kto.undesirable_weight,
            precompute_ref_log_probs=True,
            # The answers that estimate the divergence are those of the same batch.
            train_sampling_strategy="sequential",
        ),
        train_dataset=alone,
        processing_class=tokenizer,
        peft_config=new_adapter(job, model),
    )
    trace(trainer)
    if isinstance(trainer.model, PeftModel) and "ref" in trainer.model.peft_config:
        trainer.model.delete_adapter("ref")  # as in `synth.students.dpo`
    return trainer


def unpaired(rows: Dataset, seed: int, batch: int) -> Dataset:
    """Every answer as a row of its own, shuffled, with the answer of the row before it in its batch.

    Shuffled before the batches are cut: beside its own pair, an answer would be held against one to
    the same prompt, and the divergence is of answers to others.
    """
    sides = []
    for side, other, label in (("chosen", "rejected", True), ("rejected", "chosen", False)):
        half = rows.remove_columns(f"{other}_ids").rename_column(f"{side}_ids", "completion_ids")
        sides.append(half.add_column("label", [label] * len(half)))
    mixed = concatenate_datasets(sides).shuffle(seed=seed).flatten_indices()

    def turned(examples: dict[str, list[Any]]) -> dict[str, list[Any]]:
        answers = examples["completion_ids"]
        return {"KL_completion_ids": answers[-1:] + answers[:-1]}

    return mixed.map(turned, batched=True, batch_size=batch)


class SingleTrainer(Traced, KTOTrainer):  # type: ignore[misc]  # trl is not typed
    """Takes rows that are tokenised and turned already."""

    def _prepare_dataset(self, dataset: Dataset, *rest: Any) -> Dataset:
        return dataset
