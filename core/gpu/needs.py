"""What the servers and trainings of a flow file take of a GPU, before any of them is started.

Beside `rounds` and the command line this module imports teachers and students.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from synth.config import FlowFile, ModelSpec, Scratch, Train
from synth.config.recipes import launch_file
from synth.gpu.parts import Serving, Training
from synth.gpu.share import DoesNotFit
from synth.gpu.sizes import GIB, Sizes
from synth.students.memory import needed
from synth.teachers.fleet import shared
from synth.teachers.models.aliases import find
from synth.teachers.models.resolve import find_cached

__all__ = ["servings", "sizes_by_name", "trainings"]

CONTEXT = 1.0 * GIB
"""CUDA's context, and libraries."""
SEQUENCES, BATCH = 256, 8192
"""Texts in one batch whose next token is drawn, and tokens of one batch: what vLLM begins with."""
BYTES = {"auto": 2, "bfloat16": 2, "float16": 2, "float32": 4}
TINY = Sizes(430_000, 1_720_000, 3, 96, 262, cache=2 * 3 * 96, linear=5_760, longest=1024)
"""The scratch model."""
LORAS = 2
"""Adapters that a server holds on the GPU."""


def servings(flow: FlowFile, folders: Mapping[str, Path], sizes: Mapping[str, Sizes]) -> list[Serving]:
    """One entry for each server that the run starts; `folders` are the weights of local roles."""
    learners = flow.learning
    found = []
    for roles in shared(flow.models, folders, learners).values():
        ranks = [lora.r for role in roles if (lora := learners.get(role))]
        changes = any(role in learners and learners[role] is None for role in roles)
        found.append(
            _serving(roles[0], flow.models[roles[0]], sizes[roles[0]], max(ranks, default=0), changes)
        )
    return found


def _serving(role: str, spec: ModelSpec, sizes: Sizes, rank: int, changes: bool) -> Serving:
    options = spec.server
    width, number = options.tensor_parallel_size, BYTES[options.dtype]
    weights = sizes.stored if sizes.quantised else sizes.parameters * number
    adapters = LORAS * rank * sizes.linear * number
    buffers = SEQUENCES * sizes.vocabulary * 8 + BATCH * sizes.hidden * 24
    longest = options.max_model_len or sizes.longest or 4096
    return Serving(
        role=role,
        title=spec.title,
        weights=(weights + adapters) / width,
        work=CONTEXT + buffers,
        token=sizes.cache * number / width if spec.api == "chat" else 0.0,
        longest=longest,
        width=width,
        replicas=options.replicas,
        wanted=options.gpu_memory_utilization,
        changes=changes,
    )


def trainings(flow: FlowFile, path: Path, sizes: Mapping[str, Sizes], gpus: int) -> list[Training]:
    """One entry for each training of a round, on so many GPUs. Raises `RunError` for batches that the
    processes cannot share."""
    if flow.generate_only or "student" not in sizes:
        return []
    jobs = {"student": flow.train, **flow.learners}
    return [_training(role, train, path, sizes[role], gpus) for role, train in jobs.items()]


def _training(role: str, train: Train, path: Path, sizes: Sizes, gpus: int) -> Training:
    launch = _launch(train, path)
    processes = int(launch.get("num_processes", gpus)) if launch else gpus
    name = "train" if role == "student" else f"learners.{role}"
    if processes > gpus:
        raise DoesNotFit(
            f"{name}.launch starts {processes} processes, and {gpus} GPUs can be used",
            "name a configuration with fewer, or one of your own",
        )
    if train.batch_size % processes:
        raise DoesNotFit(
            f"{name}.batch_size: {train.batch_size} cannot be shared by {processes} training processes",
            f"write a multiple of {processes}, or launch: one-gpu",
        )
    sharded = launch.get("distributed_type") in ("FSDP", "DEEPSPEED")
    need = needed(train, sizes, train.max_length, train.batch_size // processes, gpu=True)
    how = "all weights" if train.lora is None else f"an adapter of rank {train.lora.r}"
    return Training(
        role=role,
        weights=need.weights / (processes if sharded else 1) + CONTEXT,
        activations=need.activations,
        processes=processes,
        own_share=train.grpo.vllm_memory if train.grpo.vllm else 0.0,
        said=f"{how}, {train.batch_size // processes} rows of up to {train.max_length} tokens at once",
    )


def _launch(train: Train, path: Path) -> dict[str, Any]:
    """The configuration of accelerate that a training names; empty where it names none."""
    file = launch_file(train.launch, path)
    return dict(yaml.safe_load(file.read_text(encoding="utf-8"))) if file else {}


def sizes_by_name(flow: FlowFile) -> tuple[dict[str, Path], dict[str, Sizes], list[str]]:
    """Places that stand for folders, and sizes, of the models that are known or here without fetching; and
    the names of those that are not."""
    places: dict[str, Path] = {}
    sizes: dict[str, Sizes] = {}
    unknown: list[str] = []
    for role, spec in flow.models.items():
        if spec.kind != "local":
            continue
        warmed = role == "student" and flow.warm_start is not None
        places[role] = Path(spec.title) / "warmed" if warmed else Path(spec.title)
        if (found := _named(spec)) is None:
            unknown.append(spec.title)
        else:
            sizes[role] = found
    return places, sizes, unknown


def _named(spec: ModelSpec) -> Sizes | None:
    if isinstance(spec.model, Scratch):
        return TINY
    name = str(spec.model)
    alias = find(name)
    folder = Path(name).expanduser()
    if not (folder / "config.json").is_file():
        cached = find_cached(alias.name if alias else name, alias.hub if alias else name)
        folder = cached or folder
    if (folder / "config.json").is_file():
        return Sizes.of_folder(folder)
    return alias.sizes if alias else None
