"""The settings that all trainers share, in TRL's names."""

from __future__ import annotations

import importlib.util
from typing import Any

import torch

from synth.config.objectives import NEEDS
from synth.errors import TrainError
from synth.students.job import TrainJob
from synth.students.weights import require_bitsandbytes

__all__ = ["trl_settings"]

OPTIMIZERS = {"adamw": "adamw_torch_fused", "rmsprop": "rmsprop", "paged-adamw-8bit": "paged_adamw_8bit"}


def trl_settings(job: TrainJob, processes: int) -> dict[str, Any]:
    """What every trainer of a job is told. Raises `TrainError` for settings this machine cannot follow."""
    train = job.train
    batch, rest = divmod(train.batch_size, processes)
    if rest:
        raise TrainError(
            f"training with {processes} processes: batch_size {train.batch_size} cannot be shared equally",
            f"make train.batch_size a multiple of {processes}",
        )
    if (
        NEEDS[train.objective] == "demonstrations"
        and batch * train.gradient_accumulation % train.grpo.generations
    ):
        raise TrainError(
            f"training with {processes} processes: each makes {batch * train.gradient_accumulation} attempts "
            f"a step, and '{train.objective}' wants whole groups of {train.grpo.generations} in one process",
            "raise train.batch_size or train.gradient_accumulation, or lower train.grpo.generations",
        )
    if train.optimizer == "paged-adamw-8bit":
        require_bitsandbytes("train.optimizer: paged-adamw-8bit")
    gpu = torch.cuda.is_available()
    return {
        "output_dir": str(job.checkpoints),
        "use_cpu": not gpu,
        "bf16": gpu,
        "gradient_checkpointing": gpu,
        "per_device_train_batch_size": batch,
        "gradient_accumulation_steps": train.gradient_accumulation,
        "num_train_epochs": train.epochs,
        "max_steps": job.steps or -1,
        "learning_rate": train.learning_rate,
        **_schedule(job),
        "warmup_steps": train.warmup_ratio,
        "optim": OPTIMIZERS[train.optimizer],
        "adam_beta1": train.betas[0],
        "adam_beta2": train.betas[1],
        "weight_decay": train.weight_decay,
        "max_grad_norm": train.max_grad_norm,
        "max_length": train.max_length,
        **({"train_sampling_strategy": "group_by_length"} if train.group_by_length else {}),
        "seed": train.seed,
        "save_strategy": "steps",
        "save_steps": train.save_steps,
        "save_total_limit": 1,
        "logging_steps": 1,
        # The default replaces a nan by the mean of the other losses, and training goes on.
        "logging_nan_inf_filter": False,
        "dataloader_pin_memory": gpu,
        "disable_tqdm": True,
        "report_to": list(_installed(train.trackers)) or "none",
        "run_name": job.output.parent.name,
    }


def _schedule(job: TrainJob) -> dict[str, Any]:
    train = job.train
    if train.scheduler == "cosine" and train.final_rate:
        rates = {"min_lr_rate": train.final_rate}
        return {"lr_scheduler_type": "cosine_with_min_lr", "lr_scheduler_kwargs": rates}
    return {"lr_scheduler_type": train.scheduler}


def _installed(trackers: tuple[str, ...]) -> tuple[str, ...]:
    for name in trackers:
        if importlib.util.find_spec(name) is None:
            raise TrainError(
                f"train.trackers names {name}, which is not installed", f"pip install {name}, or leave it out"
            )
    return trackers
