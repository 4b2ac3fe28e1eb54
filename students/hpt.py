"""HPT inside TRL's `GRPOTrainer`: see `students/losses/hpt.py`."""

from __future__ import annotations

from typing import Any

import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from synth.config.objectives import Hpt
from synth.students.grpo import RewardTrainer
from synth.students.job import TrainJob
from synth.students.losses.hpt import demonstration_advantage, unsolved

__all__ = ["make_trainer", "widened"]


def make_trainer(
    job: TrainJob, rows: Dataset, tokenizer: PreTrainedTokenizerBase, settings: dict[str, Any]
) -> HybridTrainer:
    """The trainer of a job, for rows of `prompt`, `truth` and `demonstration`."""
    trainer = HybridTrainer(job, rows, tokenizer, settings)
    trainer.settings = job.train.hpt
    return trainer


class HybridTrainer(RewardTrainer):
    """Puts demonstrations in the place of attempts that all failed."""

    settings: Hpt

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        batch: dict[str, Any] = super()._generate_and_score_completions(inputs)
        size, device = self.num_generations, batch["completion_ids"].device
        failed = unsolved(torch.tensor(self.reward.last), size, self.settings.gate).tolist()
        shown = {at * size: inputs[at * size]["demonstration"] for at, none in enumerate(failed) if none}
        self._metrics["train"]["demonstrated"].append(sum(failed) / len(failed))
        ids, mask = widened(batch, max(map(len, shown.values()), default=0), self._tokenizer.pad_token_id)
        for at, demonstration in shown.items():
            mask[at : at + size] = 0
            ids[at, : len(demonstration)] = torch.tensor(demonstration, device=device)
            mask[at, : len(demonstration)] = 1
            batch["advantages"][at : at + size] = 0
            batch["advantages"][at] = demonstration_advantage(
                len(demonstration), size, self.max_completion_length, self.settings.nll
            )
        return {**batch, "completion_ids": ids, "completion_mask": mask}


def widened(batch: dict[str, Any], width: int, pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask of a batch's attempts, padded on the right to at least `width` tokens."""
    more = max(0, width - batch["completion_ids"].shape[1])
    ids = torch.nn.functional.pad(batch["completion_ids"], (0, more), value=pad)
    return ids, torch.nn.functional.pad(batch["completion_mask"], (0, more), value=0)
