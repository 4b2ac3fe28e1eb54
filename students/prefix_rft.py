"""Prefix-RFT inside TRL's `GRPOTrainer`: see `students/losses/prefix_rft.py`."""

from __future__ import annotations

import random
from typing import Any

import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from synth.config.objectives import PrefixRft
from synth.students.grpo import RewardTrainer
from synth.students.job import TrainJob
from synth.students.losses.prefix_rft import advantages, most_uncertain, prefix_length

__all__ = ["make_trainer"]


def make_trainer(
    job: TrainJob, rows: Dataset, tokenizer: PreTrainedTokenizerBase, settings: dict[str, Any]
) -> PrefixTrainer:
    """The trainer of a job, for rows of `prompt`, `truth` and `demonstration`."""
    trainer = PrefixTrainer(job, rows, tokenizer, settings)
    trainer.settings = job.train.prefix_rft
    return trainer


class PrefixTrainer(RewardTrainer):
    """The last attempt of every group begins with a part of the demonstration."""

    settings: PrefixRft
    prefixes: list[list[int]]
    """Of the attempts in hand, empty for those that begin by themselves."""

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        self.prefixes = self._drawn(inputs)
        batch: dict[str, Any] = super()._generate_and_score_completions(inputs)
        scores = torch.tensor(self.reward.last, device=batch["completion_ids"].device)
        each = advantages(scores, self.num_generations)[:, None].repeat(1, batch["completion_ids"].shape[1])
        hybrid = [at for at, prefix in enumerate(self.prefixes) if prefix]
        for at, entropies in zip(hybrid, self._entropies(batch, hybrid), strict=True):
            each[at] *= most_uncertain(entropies, len(self.prefixes[at]), self.settings.uncertain)
        # An attempt whose demonstration was too short for a prefix teaches nothing.
        for at in range(self.num_generations - 1, len(inputs), self.num_generations):
            if not self.prefixes[at]:
                each[at] = 0
        self._metrics["train"]["prefix"].append(sum(map(len, self.prefixes)) / max(1, len(hybrid)))
        return {**batch, "advantages": each}

    def _drawn(self, inputs: list[dict[str, Any]]) -> list[list[int]]:
        """The prefixes of this step; the same again when a training goes on from a checkpoint."""
        step, last = self.state.global_step, self.num_generations - 1
        draw = random.Random(f"{self.args.seed}/{step}/{self.accelerator.process_index}")
        progress = step / max(1, self.state.max_steps - 1)
        prefixes = []
        for at, row in enumerate(inputs):
            shown: list[int] = row["demonstration"] if at % self.num_generations == last else []
            length = prefix_length(draw.random(), progress, len(shown), self.settings) if shown else 0
            prefixes.append(shown[:length])
        return prefixes

    def _generate_single_turn(self, prompt_ids: list[list[int]], *rest: Any, **more: Any) -> Any:
        begun = [[*prompt, *prefix] for prompt, prefix in zip(prompt_ids, self.prefixes, strict=True)]
        written, log_probs = super()._generate_single_turn(begun, *rest, **more)
        whole = [[*prefix, *text] for prefix, text in zip(self.prefixes, written, strict=True)]
        return [ids[: self.max_completion_length] for ids in whole], log_probs

    def _entropies(self, batch: dict[str, Any], which: list[int]) -> torch.Tensor:
        """How unsure the student is at every token of these attempts, in nats."""
        if not which:
            return torch.empty(0)
        ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], 1)[which]
        mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], 1)[which]
        width = batch["completion_ids"].shape[1]
        with torch.no_grad():
            found = self._get_per_token_logps_and_entropies(
                self.model, ids, mask, width, compute_entropy=True
            )
        entropies: torch.Tensor = found[1]
        return entropies
