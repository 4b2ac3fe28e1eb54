"""Learning by reward with TRL's `GRPOTrainer` (arXiv 2402.03300): attempts, verified, against each other.

Attempts are made by the model itself inside the training process, by transformers or by a vLLM
there. The reward is what the flow file's verifier says (`students/reward.py`).
"""

from __future__ import annotations

from typing import Any

from datasets import Dataset
from peft import PeftModel
from transformers import PreTrainedTokenizerBase
from trl import GRPOConfig, GRPOTrainer

from synth.errors import DataError
from synth.students.job import TrainJob
from synth.students.reward import Reward
from synth.students.tokens import ROW, Taken, shared_start
from synth.students.traced import Traced
from synth.students.weights import load_model, new_adapter

__all__ = ["RewardTrainer", "fitting", "make_trainer", "reward_config"]


def make_trainer(
    job: TrainJob, rows: Dataset, tokenizer: PreTrainedTokenizerBase, settings: dict[str, Any]
) -> GRPOTrainer:
    """The trainer of a job, for rows of `prompt` and `truth`."""
    return RewardTrainer(job, rows, tokenizer, settings)


def reward_config(job: TrainJob, settings: dict[str, Any]) -> GRPOConfig:
    """TRL's names for our settings."""
    grpo = job.train.grpo
    kept = {name: value for name, value in settings.items() if name != "max_length"}
    return GRPOConfig(
        **kept,
        num_generations=grpo.generations,
        max_completion_length=grpo.max_tokens,
        temperature=grpo.temperature,
        beta=grpo.beta,
        epsilon=grpo.epsilon,
        loss_type=grpo.loss,
        scale_rewards=grpo.scale,
        chat_template_kwargs=job.template_options,
        use_vllm=grpo.vllm,
        vllm_gpu_memory_utilization=grpo.vllm_memory,
    )


def fitting(rows: Dataset, tokenizer: PreTrainedTokenizerBase, job: TrainJob) -> Taken:
    """Rows whose prompt leaves room for an attempt within `max_length`.

    A demonstration gets its ids beside it, as `demonstration`; it may be no longer than an attempt.
    Raises `DataError` if no row fits.
    """
    longest = job.train.grpo.max_tokens
    room = job.train.max_length - longest

    def look(row: dict[str, Any], number: int) -> dict[str, Any]:
        text = tokenizer.apply_chat_template(
            row["prompt"], tokenize=False, add_generation_prompt=True, **job.template_options
        )
        prompt = tokenizer(text, add_special_tokens=False)["input_ids"]
        made: dict[str, Any] = {ROW: number, "length": len(prompt)}
        if "completion" in row:
            whole = tokenizer.apply_chat_template(
                row["prompt"] + row["completion"], tokenize=False, **job.template_options
            )
            ids = tokenizer(whole, add_special_tokens=False)["input_ids"]
            made["demonstration"] = ids[shared_start(prompt, ids) :]
        return made

    made = rows.map(look, with_indices=True)
    lengths = list(made["length"])
    shown = map(len, made["demonstration"]) if "demonstration" in made.column_names else [0] * len(made)
    kept = [
        at
        for at, (prompt, own) in enumerate(zip(lengths, shown, strict=True))
        if prompt <= room and own <= longest
    ]
    if not kept:
        raise DataError(
            f"no row leaves room for {longest} tokens of an attempt within {job.train.max_length}; "
            f"the shortest prompt has {min(lengths)}",
            "raise train.max_length or lower train.grpo.max_tokens",
        )
    unneeded = [name for name in ("length", "completion", "unfinished") if name in made.column_names]
    longest = max(lengths[at] for at in kept) + job.train.grpo.max_tokens
    return Taken(made.select(kept).remove_columns(unneeded), len(rows) - len(kept), longest)


class RewardTrainer(Traced, GRPOTrainer):  # type: ignore[misc]  # trl is not typed
    """TRL's trainer, with the job's verifier for a reward."""

    def __init__(
        self, job: TrainJob, rows: Dataset, tokenizer: PreTrainedTokenizerBase, settings: dict[str, Any]
    ) -> None:
        model = load_model(job)
        self.reward = Reward(job.verifier)
        super().__init__(
            model,
            reward_funcs=self.reward,
            args=reward_config(job, settings),
            train_dataset=rows,
            processing_class=tokenizer,
            peft_config=new_adapter(job, model),
        )
        self.reward.ends = frozenset(self.eos_token_ids)
        self.step_rows = []
        if not self.beta and isinstance(self.model, PeftModel) and "ref" in self.model.peft_config:
            self.model.delete_adapter("ref")  # as in `synth.students.dpo`
