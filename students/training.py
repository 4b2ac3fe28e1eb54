"""A training from its job to published weights, whatever its objective: LoRA or all weights, CPU or GPUs.

Everything here runs in the training process; nothing else may import this module, since it
loads torch.
"""

from __future__ import annotations

import os
import shutil
from importlib import import_module
from typing import Any

import datasets
import torch
from accelerate import PartialState
from transformers import AutoConfig, AutoTokenizer, PrinterCallback, Trainer
from transformers.utils import logging

from synth.errors import TrainError
from synth.students.card import write_card
from synth.students.checkpoints import clear_others, last_complete, step_of
from synth.students.examples import COLUMNS, load_examples, tokenised
from synth.students.job import TrainJob, TrainResult, weights_digest, write_file
from synth.students.progress import Progress

__all__ = ["train"]


def train(job: TrainJob) -> TrainResult | None:
    """Do the job, from its last checkpoint if there is one; the result is on disk as well.

    Every process of a distributed training calls this; only the first gets the result.
    Raises `TrainError` or `DataError`.
    """
    torch.set_num_threads(job.train.threads or len(os.sched_getaffinity(0)))
    logging.disable_progress_bar()
    datasets.disable_progress_bars()
    state = PartialState(cpu=not torch.cuda.is_available())
    with state.main_process_first():
        if state.is_main_process:
            shutil.rmtree(job.output, ignore_errors=True)
            clear_others(job.checkpoints)
        checkpoint = last_complete(job.checkpoints)
    tokenizer = AutoTokenizer.from_pretrained(job.model)
    found = load_examples(job.data, COLUMNS[job.train.objective])
    rows, left_out = tokenised(found, tokenizer, job.train.max_length, job.template_options)
    objective = import_module(f"synth.students.{job.train.objective}")
    trainer = objective.make_trainer(job, rows, tokenizer, _settings(job, state.num_processes))
    progress = Progress(job, step_of(checkpoint) if checkpoint else 0, state.is_main_process)
    trainer.add_callback(progress)
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    return _publish(job, trainer, progress, len(rows), left_out)


def _settings(job: TrainJob, processes: int) -> dict[str, Any]:
    """The settings all trainers share, in TRL's names."""
    train = job.train
    batch, rest = divmod(train.batch_size, processes)
    if rest:
        raise TrainError(
            f"training with {processes} processes: batch_size {train.batch_size} cannot be shared equally",
            f"make train.batch_size a multiple of {processes}",
        )
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
        "lr_scheduler_type": train.scheduler,
        "warmup_steps": train.warmup_ratio,
        "weight_decay": train.weight_decay,
        "max_grad_norm": train.max_grad_norm,
        "max_length": train.max_length,
        "seed": train.seed,
        "save_strategy": "steps",
        "save_steps": train.save_steps,
        "save_total_limit": 1,
        "logging_steps": 1,
        # The default replaces a nan by the mean of the other losses, and training goes on.
        "logging_nan_inf_filter": False,
        "dataloader_pin_memory": gpu,
        "disable_tqdm": True,
        "report_to": "none",
    }


def _publish(
    job: TrainJob, trainer: Trainer, progress: Progress, examples: int, left_out: int
) -> TrainResult | None:
    """Save the weights, the card and the result; the output folder appears last, all at once."""
    temporary = job.output.with_name(f".{job.output.name}.new")
    if trainer.is_world_process_zero():
        shutil.rmtree(temporary, ignore_errors=True)
    if job.train.lora:
        # An adapter goes with its base model's tokenizer; vLLM warns of one with its own.
        trainer.processing_class = None
    else:
        # Weights of a bf16 model are trained in fp32 and given back in bf16.
        trainer.model.to(AutoConfig.from_pretrained(job.model).dtype or torch.float32)
    trainer.save_model(str(temporary))
    if not trainer.is_world_process_zero():
        return None
    # A pickle, which nothing here needs.
    (temporary / "training_args.bin").unlink()
    log = progress.log
    last = log.lines[-1]
    result = TrainResult(
        job=job.fingerprint(),
        output=job.output,
        weights=weights_digest(temporary),
        steps=last["step"],
        examples=examples,
        left_out=left_out,
        tokens=last["tokens"],
        seconds=last["seconds"],
        loss=log.mean("loss"),
        figures={name: log.mean(name) for name in progress.figures if name in last},
        stopped=progress.stopped,
    )
    write_card(temporary, job, result)
    write_file(job.report, result.model_dump_json(indent=2))
    shutil.rmtree(job.output, ignore_errors=True)
    temporary.rename(job.output)
    shutil.rmtree(job.checkpoints.parent, ignore_errors=True)
    return result
