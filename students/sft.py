"""Supervised fine-tuning with TRL's `SFTTrainer`: LoRA or all weights, on a CPU or on GPUs.

The loss is on the completions only. Everything here runs in the training process; nothing
else may import this module, since it loads torch.
"""

from __future__ import annotations

import os
import shutil
from typing import Any

import datasets
import torch
from accelerate import PartialState
from datasets import Dataset
from peft import LoraConfig, PeftModel
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PrinterCallback,
)
from transformers.utils import logging
from trl import SFTConfig, SFTTrainer

from synth.errors import TrainError
from synth.students.card import write_card
from synth.students.checkpoints import clear_others, last_complete, step_of
from synth.students.examples import load_examples, that_fit
from synth.students.job import TrainJob, TrainResult, weights_digest, write_file
from synth.students.log import StepLog
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
    rows, left_out = that_fit(load_examples(job.data), tokenizer, job.train.max_length, job.template_options)
    trainer = _trainer(job, rows, tokenizer, state.num_processes)
    progress = Progress(job.log, step_of(checkpoint) if checkpoint else 0, state.is_main_process)
    trainer.add_callback(progress)
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    return _publish(job, trainer, progress.log, len(rows), left_out)


def _trainer(job: TrainJob, rows: Dataset, tokenizer: PreTrainedTokenizerBase, processes: int) -> SFTTrainer:
    lora = job.train.lora
    model = _model(job)
    new = (
        LoraConfig(
            r=lora.r,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=_linear(model),
            layers_to_transform=_top(model, lora.layers),
            task_type="CAUSAL_LM",
        )
        if lora and not job.adapter
        else None
    )
    if job.template_options:
        rows = rows.add_column("chat_template_kwargs", [job.template_options] * len(rows))
    return SFTTrainer(
        model,
        SFTConfig(**_settings(job, processes)),
        train_dataset=rows,
        processing_class=tokenizer,
        peft_config=new,
    )


def _settings(job: TrainJob, processes: int) -> dict[str, Any]:
    """TRL's names for our settings."""
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
        "packing": train.packing,
        "completion_only_loss": True,
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


def _model(job: TrainJob) -> PreTrainedModel | PeftModel:
    """The model to train. A frozen base is held in bf16 on a GPU, weights being trained in fp32."""
    frozen = job.train.lora is not None
    dtype = torch.bfloat16 if frozen and torch.cuda.is_available() else torch.float32
    model = AutoModelForCausalLM.from_pretrained(job.model, dtype=dtype, use_safetensors=True)
    if not job.adapter:
        return model
    if not (job.adapter / "adapter_model.safetensors").is_file():
        raise TrainError(
            f"going on from the adapter {job.adapter}: it has no adapter_model.safetensors",
            "give the folder of a LoRA adapter, or leave it out to start from the base model",
        )
    model = PeftModel.from_pretrained(model, job.adapter, is_trainable=frozen)
    if not frozen:
        return model.merge_and_unload().requires_grad_(True)
    _same_shape(job, model.peft_config["default"])
    return model


def _same_shape(job: TrainJob, found: LoraConfig) -> None:
    lora = job.train.lora
    if lora and (lora.r, lora.alpha) != (found.r, found.lora_alpha):
        raise TrainError(
            f"going on from the adapter {job.adapter}: it has r {found.r} and alpha {found.lora_alpha}, "
            f"train.lora asks for r {lora.r} and alpha {lora.alpha}",
            "keep train.lora the same in all rounds of a run",
        )


def _linear(model: PreTrainedModel) -> list[str]:
    """Names of all linear layers but the output; peft's `all-linear` does not go with a choice of layers."""
    output = model.get_output_embeddings()
    found = (
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and module is not output
    )
    return sorted({name.rpartition(".")[2] for name in found})


def _top(model: PreTrainedModel, layers: int | None) -> list[int] | None:
    total = model.config.num_hidden_layers
    return list(range(max(0, total - layers), total)) if layers else None


def _publish(
    job: TrainJob, trainer: SFTTrainer, log: StepLog, examples: int, left_out: int
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
        loss=log.loss,
    )
    write_card(temporary, job, result)
    write_file(job.report, result.model_dump_json(indent=2))
    shutil.rmtree(job.output, ignore_errors=True)
    temporary.rename(job.output)
    shutil.rmtree(job.checkpoints.parent, ignore_errors=True)
    return result
