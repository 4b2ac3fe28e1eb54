"""ORPO with TRL's trainer (arXiv 2403.07691): likelihood and odds ratio in one loss, no reference.

TRL's likelihood term is over the whole sequence, the prompt included, as in the authors' code; the
odds ratio is of the answers.
"""

from __future__ import annotations

from typing import Any

from datasets import Dataset
from transformers import PreTrainedTokenizerBase
from trl.experimental.orpo import ORPOConfig, ORPOTrainer

from synth.students.job import TrainJob
from synth.students.traced import trace
from synth.students.unreferenced import Unreferenced, labelled, pair_collator
from synth.students.weights import load_model, new_adapter

__all__ = ["make_trainer"]


def make_trainer(
    job: TrainJob, rows: Dataset, tokenizer: PreTrainedTokenizerBase, settings: dict[str, Any]
) -> ORPOTrainer:
    """The trainer of a job, for rows of `prompt_ids`, `chosen_ids` and `rejected_ids`."""
    model = load_model(job)
    trainer = OddsTrainer(
        model,
        args=ORPOConfig(**settings, beta=job.train.orpo.beta, remove_unused_columns=False),
        data_collator=pair_collator(tokenizer),
        train_dataset=labelled(rows),
        processing_class=tokenizer,
        peft_config=new_adapter(job, model),
    )
    trace(trainer)
    return trainer


class OddsTrainer(Unreferenced, ORPOTrainer):  # type: ignore[misc]  # trl is not typed
    """Takes rows that are tokenised already."""
