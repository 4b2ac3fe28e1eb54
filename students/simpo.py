"""SimPO with TRL's CPO trainer (arXiv 2405.14734): mean log-probability as reward, no reference."""

from __future__ import annotations

from typing import Any

from datasets import Dataset
from transformers import PreTrainedTokenizerBase
from trl.experimental.cpo import CPOConfig, CPOTrainer

from synth.students.job import TrainJob
from synth.students.traced import trace
from synth.students.unreferenced import Unreferenced, labelled, pair_collator
from synth.students.weights import load_model, new_adapter

__all__ = ["make_trainer"]


def make_trainer(
    job: TrainJob, rows: Dataset, tokenizer: PreTrainedTokenizerBase, settings: dict[str, Any]
) -> CPOTrainer:
    """The trainer of a job, for rows of `prompt_ids`, `chosen_ids` and `rejected_ids`.

    TRL's default for the likelihood term is 1, which is CPO's; SimPO has none.
    """
    simpo = job.train.simpo
    model = load_model(job)
    trainer = MarginTrainer(
        model,
        args=CPOConfig(
            **settings,
            loss_type="simpo",
            beta=simpo.beta,
            simpo_gamma=simpo.gamma,
            cpo_alpha=simpo.nll,
            remove_unused_columns=False,
        ),
        data_collator=pair_collator(tokenizer),
        train_dataset=labelled(rows),
        processing_class=tokenizer,
        peft_config=new_adapter(job, model),
    )
    trace(trainer)
    return trainer


class MarginTrainer(Unreferenced, CPOTrainer):  # type: ignore[misc]  # trl is not typed
    """Takes rows that are tokenised already."""
