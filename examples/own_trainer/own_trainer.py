"""A trainer of one's own in the place of the objective's: plain `transformers`, with smoothed labels."""

from typing import Any

from datasets import Dataset
from transformers import (
    AutoModelForCausalLM,
    DataCollatorForSeq2Seq,
    PreTrainedTokenizerBase,
    Trainer,
    TrainingArguments,
)

from synth.students.job import TrainJob

SMOOTHING = 0.1
"""Share of every target that is spread over the whole vocabulary."""


def smoothed(
    job: TrainJob, rows: Dataset, tokenizer: PreTrainedTokenizerBase, settings: dict[str, Any]
) -> Trainer:
    """The trainer of a job, all weights; `rows` have `prompt_ids` and `completion_ids`, all fit."""
    known = {key: settings[key] for key in settings if key in TrainingArguments.__dataclass_fields__}
    return Trainer(
        AutoModelForCausalLM.from_pretrained(job.model),
        TrainingArguments(
            **known, label_smoothing_factor=SMOOTHING, include_num_input_tokens_seen="non_padding"
        ),
        train_dataset=rows.map(_labelled, remove_columns=rows.column_names),
        data_collator=DataCollatorForSeq2Seq(tokenizer),
        processing_class=tokenizer,
    )


def _labelled(row: dict[str, Any]) -> dict[str, Any]:
    """The loss is on the answer alone."""
    prompt, answer = row["prompt_ids"], row["completion_ids"]
    return {"input_ids": prompt + answer, "labels": [-100] * len(prompt) + answer}
