"""Supervised fine-tuning with TRL's `SFTTrainer`; the loss is on the completions only."""

from __future__ import annotations

from typing import Any

from datasets import Dataset
from transformers import PreTrainedTokenizerBase
from trl import SFTConfig, SFTTrainer

from synth.students.job import TrainJob
from synth.students.weights import load_model, new_adapter

__all__ = ["make_trainer"]


def make_trainer(
    job: TrainJob, rows: Dataset, tokenizer: PreTrainedTokenizerBase, settings: dict[str, Any]
) -> SFTTrainer:
    """The trainer of a job, for rows of `prompt_ids` and `completion_ids`."""
    model = load_model(job)
    return SFTTrainer(
        model,
        SFTConfig(**settings, packing=job.train.packing, completion_only_loss=True),
        train_dataset=rows.map(_joined, remove_columns=rows.column_names),
        processing_class=tokenizer,
        peft_config=new_adapter(job, model),
    )


def _joined(row: dict[str, list[int]]) -> dict[str, list[int]]:
    """TRL's shape of a row that is tokenised already."""
    prompt, completion = row["prompt_ids"], row["completion_ids"]
    return {
        "input_ids": prompt + completion,
        "completion_mask": [0] * len(prompt) + [1] * len(completion),
    }
