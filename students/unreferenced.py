"""What TRL's ORPO and CPO trainers share here: rows that are tokenised already, and tokens counted."""

from __future__ import annotations

from typing import Any

import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase
from trl.experimental.utils import DPODataCollatorWithPadding

from synth.students.traced import Traced

__all__ = ["Unreferenced", "labelled", "pair_collator"]

NOTHING = -100
"""Label of a token that is not learnt."""


def labelled(rows: Dataset) -> Dataset:
    """Pairs in the columns these trainers compute with. An unfinished answer is given no end here."""

    def sides(row: dict[str, list[int]]) -> dict[str, list[int]]:
        prompt = row["prompt_ids"]
        made = {"prompt_input_ids": prompt, "prompt_attention_mask": [1] * len(prompt)}
        for side in ("chosen", "rejected"):
            answer = row[f"{side}_ids"]
            made[f"{side}_input_ids"] = prompt + answer
            made[f"{side}_attention_mask"] = [1] * (len(prompt) + len(answer))
            made[f"{side}_labels"] = [NOTHING] * len(prompt) + answer
        return made

    return rows.map(sides, remove_columns=["prompt_ids", "chosen_ids", "rejected_ids"])


def pair_collator(tokenizer: PreTrainedTokenizerBase) -> DPODataCollatorWithPadding:
    """TRL's own for these columns."""
    pad = tokenizer.pad_token_id
    return DPODataCollatorWithPadding(pad_token_id=tokenizer.eos_token_id if pad is None else pad)


class Unreferenced(Traced):
    """Mixed in before TRL's trainer."""

    tokens = 0

    def tokenize_row(self, row: dict[str, Any], model: Any = None) -> dict[str, Any]:
        return row

    def get_batch_loss_metrics(
        self, model: Any, batch: dict[str, torch.Tensor], train_eval: str = "train"
    ) -> tuple[torch.Tensor, dict[str, float]]:
        loss, metrics = super().get_batch_loss_metrics(model, batch, train_eval)  # type: ignore[misc]
        seen = batch["chosen_attention_mask"].sum() + batch["rejected_attention_mask"].sum()
        self.tokens += int(self.accelerator.gather(seen).sum())  # type: ignore[attr-defined]
        # Logged as the mean over a step's micro-batches: the count is the last one's.
        return loss, metrics

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if "loss" in logs:
            logs["num_tokens"] = self.tokens
        super().log(logs, start_time)  # type: ignore[misc]
