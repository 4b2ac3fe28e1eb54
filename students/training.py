"""A training from its job to published weights, whatever its objective: LoRA or all weights, CPU or GPUs.

Everything here runs in the training process; nothing else may import this module, since it
loads torch.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import cast

import datasets
import torch
from accelerate import PartialState
from peft import PeftModel
from transformers import AutoConfig, AutoTokenizer, PreTrainedTokenizerBase, PrinterCallback, Trainer
from transformers.utils import logging

from synth.config.objectives import NEEDS
from synth.errors import TrainError
from synth.reference import referred
from synth.students.card import write_card
from synth.students.checkpoints import clear_others, last_complete, step_of
from synth.students.examples import COLUMNS, load_examples
from synth.students.job import TrainJob, TrainResult, weights_digest, write_file
from synth.students.memory import GIB, check_memory, free_ram
from synth.students.progress import Progress
from synth.students.settings import trl_settings
from synth.students.tokens import Taken, tokenised

__all__ = ["train"]

MODULES = {"dft": "sft", "asft": "sft", "pear": "sft", "response-only": "sft", "prefix-rft": "prefix_rft"}
"""Objective -> module of its trainer, where that is not its name."""


def train(job: TrainJob) -> TrainResult | None:
    """Do the job, from its last checkpoint if there is one; the result is on disk as well.

    Every process of a distributed training calls this; only the first gets the result.
    Raises `TrainError` or `DataError`.
    """
    here = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    torch.set_num_threads(job.train.threads or max(1, len(os.sched_getaffinity(0)) // here))
    logging.disable_progress_bar()
    datasets.disable_progress_bars()
    state = PartialState(cpu=not torch.cuda.is_available())
    with state.main_process_first():
        if state.is_main_process:
            shutil.rmtree(job.output, ignore_errors=True)
            clear_others(job.checkpoints)
        checkpoint = last_complete(job.checkpoints)
    settings = trl_settings(job, state.num_processes)
    tokenizer = AutoTokenizer.from_pretrained(job.model)
    rows, left_out, longest = _taken(job, tokenizer)
    if state.num_processes == 1:
        _fits(job, longest, settings["per_device_train_batch_size"])
    trainer = _maker(job)(job, rows, tokenizer, settings)
    progress = Progress(
        job,
        step_of(checkpoint) if checkpoint else 0,
        state.is_main_process,
        lambda: getattr(trainer, "step_rows", []),
    )
    trainer.add_callback(progress)
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    return _publish(job, trainer, progress, len(rows), left_out)


def _maker(job: TrainJob) -> Callable[..., Trainer]:
    """The function that makes the trainer: the user's, or the objective's. Raises `TrainError`."""
    objective = job.train.objective
    if job.train.trainer is not None:
        return cast("Callable[..., Trainer]", referred(job.train.trainer, "trainer", TrainError))
    module = import_module(f"synth.students.{MODULES.get(objective, objective)}")
    return cast("Callable[..., Trainer]", module.make_trainer)


def _taken(job: TrainJob, tokenizer: PreTrainedTokenizerBase) -> Taken:
    """What is trained on, in the form the objective's trainer wants."""
    needs = NEEDS[job.train.objective]
    found = load_examples(job.data, COLUMNS[needs])
    if needs in ("truths", "demonstrations"):
        from synth.students.grpo import fitting

        return fitting(found, tokenizer, job)
    return tokenised(found, tokenizer, job.train, job.template_options)


def _fits(job: TrainJob, longest: int, batch: int) -> None:
    """Raises `TrainError` where the memory will not do."""
    gpu = torch.cuda.is_available()
    free = torch.cuda.mem_get_info()[0] if gpu else free_ram()
    need = check_memory(job, longest, batch, free, gpu)
    print(f"memory: about {need.total / GIB:.2f} GiB needed, {free / GIB:.2f} GiB free", flush=True)


def _publish(
    job: TrainJob, trainer: Trainer, progress: Progress, examples: int, left_out: int
) -> TrainResult | None:
    """Save the weights, the card and the result; the output folder appears last, all at once."""
    temporary = job.output.with_name(f".{job.output.name}.new")
    if trainer.is_world_process_zero():
        shutil.rmtree(temporary, ignore_errors=True)
    _save(job, trainer, temporary)
    if not trainer.is_world_process_zero():
        return None
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


def _save(job: TrainJob, trainer: Trainer, folder: Path) -> None:
    """The weights alone, in the base model's own precision; no pickle, and no reference."""
    if job.train.lora:
        # An adapter goes with its base model's tokenizer; vLLM warns of one with its own.
        trainer.processing_class = None
        if isinstance(trainer.model, PeftModel) and "ref" in trainer.model.peft_config:
            trainer.model.delete_adapter("ref")
    else:
        # Weights of a bf16 model are trained in fp32 and given back in bf16.
        trainer.model.to(AutoConfig.from_pretrained(job.model).dtype or torch.float32)
    trainer.save_model(str(folder))
    if trainer.is_world_process_zero():
        (folder / "training_args.bin").unlink()
