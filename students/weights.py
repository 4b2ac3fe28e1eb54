"""The weights a training starts from: the base model, the adapter it goes on from, or a new one."""

from __future__ import annotations

import importlib.util
from typing import Any

import torch
from peft import LoraConfig, PeftModel, prepare_model_for_kbit_training
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, PreTrainedModel

from synth.errors import TrainError
from synth.students.job import TrainJob

__all__ = ["frozen_copy", "load_model", "new_adapter", "require_bitsandbytes"]


def load_model(job: TrainJob) -> PreTrainedModel | PeftModel:
    """The model to train. A frozen base is held in bf16 or in four bits on a GPU, weights being
    trained in fp32.

    Raises `TrainError` for an adapter that is not there or of another shape, and for four bits where
    they cannot be had.
    """
    frozen = job.train.lora is not None
    dtype = torch.bfloat16 if frozen and torch.cuda.is_available() else torch.float32
    model = AutoModelForCausalLM.from_pretrained(job.model, dtype=dtype, use_safetensors=True, **_bits(job))
    if job.train.lora and job.train.lora.bits:
        model = prepare_model_for_kbit_training(model)
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


def frozen_copy(job: TrainJob) -> PreTrainedModel:
    """The start of a training once more, whole and frozen, as a reference."""
    whole = job.model_copy(update={"train": job.train.model_copy(update={"lora": None})})
    return load_model(whole).requires_grad_(False).eval()


def require_bitsandbytes(setting: str) -> None:
    """Raises `TrainError` where there is no GPU or bitsandbytes is not installed."""
    if not torch.cuda.is_available():
        raise TrainError(f"{setting} needs a GPU, and there is none", "leave it out, or train on a GPU")
    if importlib.util.find_spec("bitsandbytes") is None:
        raise TrainError(f"{setting} needs bitsandbytes, which is not installed", "pip install bitsandbytes")


def _bits(job: TrainJob) -> dict[str, Any]:
    """QLoRA's quantisation (arXiv 2305.14314): NF4 twice over, computing in bf16."""
    if job.train.lora is None or job.train.lora.bits is None:
        return {}
    require_bitsandbytes("train.lora.bits: 4")
    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    return {"quantization_config": config, "device_map": {"": torch.cuda.current_device()}}


def new_adapter(job: TrainJob, model: PreTrainedModel) -> LoraConfig | None:
    """Of a training that begins an adapter; None where it goes on from one, or trains all weights."""
    lora = job.train.lora
    if lora is None or job.adapter:
        return None
    return LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=_linear(model),
        layers_to_transform=_top(model, lora.layers),
        task_type="CAUSAL_LM",
    )


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
