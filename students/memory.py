"""What a training will take of the memory, estimated before the weights are loaded, and what to change.

Counted are the weights with their gradients and the optimiser's averages, which is exact, and the
activations of one micro-batch of the longest rows, which is a rule of thumb (Korthikanti et al., arXiv
2205.05198: 34 bytes a token, layer and hidden unit in half precision, and without recomputation).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import psutil

from synth.config import Lora, Train
from synth.config.objectives import NEEDS
from synth.errors import TrainError
from synth.gpu.sizes import GIB, Sizes
from synth.students.job import TrainJob

__all__ = ["GIB", "SURE", "Need", "check_memory", "estimate", "free_ram", "needed"]

LEARNT = {"adamw": 16.0, "rmsprop": 12.0, "paged-adamw-8bit": 10.0}
"""Bytes of a trained parameter: fp32 weight and gradient, and the optimiser's averages."""
WHOLE_LOGITS = {"asft": 6, "orpo": 3, "simpo": 3}
"""Objectives that hold logits of every token, and how many times over in fp32; others take them in pieces."""


SURE = 0.5
"""Share of the activations that is held against what is free: a rule of thumb must not refuse what fits."""


@dataclass(frozen=True)
class Need:
    """Bytes."""

    weights: float
    activations: float

    @property
    def total(self) -> float:
        return self.weights + self.activations


def check_memory(job: TrainJob, longest: int, batch: int, free: int, gpu: bool) -> Need:
    """The estimate for micro-batches of `batch` rows of up to `longest` tokens.

    Raises `TrainError` where it is surely more than `free` bytes, with what would fit.
    """
    need = estimate(job, longest, batch, gpu)
    if need.weights + SURE * need.activations <= free:
        return need
    where = "the GPU" if gpu else "this machine"
    raise TrainError(
        f"training {job.model.name} needs about {need.total / GIB:.1f} GiB: {need.weights / GIB:.1f} for the "
        f"weights, their gradients and the optimiser, {need.activations / GIB:.1f} for {batch} rows of up to "
        f"{longest} tokens; {where} has {free / GIB:.1f} GiB free",
        _cure(job, need, longest, batch, free, gpu),
    )


def estimate(job: TrainJob, longest: int, batch: int, gpu: bool) -> Need:
    """What a training will take."""
    return needed(job.train, Sizes.of_folder(job.model), longest, batch, gpu, again=job.adapter is not None)


def needed(train: Train, sizes: Sizes, longest: int, batch: int, gpu: bool, again: bool = False) -> Need:
    """What a training of a model of these sizes will take; `again`: from an adapter it has by now."""
    per_parameter = LEARNT[train.optimizer]
    if train.lora is None:
        weights = sizes.parameters * per_parameter
    else:
        held = 0.55 if train.lora.bits else 2.0 if gpu else 4.0
        weights = sizes.parameters * held + _adapter(train.lora, sizes) * per_parameter
    if train.objective == "asft" and (train.lora is None or again):
        weights += sizes.parameters * 4.0
    tokens = longest * batch * (2 if NEEDS[train.objective] == "pairs" else 1)
    # On a GPU activations are bf16 and computed anew, a layer at a time; on a CPU all are kept in fp32.
    kept = 2.0 * sizes.layers + 34.0 if gpu else 68.0 * sizes.layers
    logits = 4.0 * sizes.vocabulary * WHOLE_LOGITS.get(train.objective, 0)
    return Need(weights, tokens * (sizes.hidden * kept + logits))


def free_ram() -> int:
    """Bytes that can still be had: of the machine, and of the control group this runs in."""
    free = psutil.virtual_memory().available
    group = Path("/sys/fs/cgroup")
    try:
        limit = int((group / "memory.max").read_text())
        return min(free, limit - int((group / "memory.current").read_text()))
    except (OSError, ValueError):
        return free


def _cure(job: TrainJob, need: Need, longest: int, batch: int, free: int, gpu: bool) -> str:
    """What would fit, or most nearly."""
    if need.weights < free:
        fits = int((free - need.weights) / need.activations * batch)
        if fits:
            accumulation = job.train.gradient_accumulation * math.ceil(batch / fits)
            return f"write train.batch_size: {fits} and train.gradient_accumulation: {accumulation}"
        return "lower train.max_length, or take a smaller model"
    if job.train.lora is None:
        small = job.model_copy(update={"train": job.train.model_copy(update={"lora": Lora()})})
        less = estimate(small, longest, batch, gpu).total / GIB
        return f"write train.lora: {{r: 16}}, which needs about {less:.1f} GiB, or take a smaller model"
    if gpu and not job.train.lora.bits:
        return "write train.lora.bits: 4, or take a smaller model"
    return "take a smaller model, or free memory"


def _adapter(lora: Lora, sizes: Sizes) -> int:
    """Parameters of the adapter: two thin matrices for every linear one of the layers it covers."""
    share = min(lora.layers or sizes.layers, sizes.layers) / sizes.layers
    return int(share * lora.r * sizes.linear)
