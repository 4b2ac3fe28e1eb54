"""How fast training went here before: tokens a second, of trainings that work alike."""

from __future__ import annotations

from pathlib import Path

import orjson

from synth.config import Train

__all__ = ["training_pace"]

_MATTERS = (
    "objective",
    "lora",
    "batch_size",
    "gradient_accumulation",
    "max_length",
    "packing",
    "loss_on",
    "optimizer",
    "launch",
    "threads",
)
"""Settings that decide how long a token takes; rates and seeds do not."""


def training_pace(runs: Path, model: str, train: Train) -> float | None:
    """Tokens a second of all trainings of `model` below `runs` with settings of the same cost;
    None where there is none."""
    wanted = _cost(train)
    tokens = seconds = 0.0
    for path in runs.glob("*/rounds/*/train/result.json"):
        try:
            job = orjson.loads((path.parent / "job.json").read_bytes())
            alike = job["name"] == model and _cost(Train.model_validate(job["train"])) == wanted
            result = orjson.loads(path.read_bytes()) if alike else None
        except (OSError, ValueError, KeyError):  # another version's, or being written: it tells nothing
            continue
        if result is not None:
            tokens += result["tokens"]
            seconds += result["seconds"]
    return tokens / seconds if seconds > 0 else None


def _cost(train: Train) -> dict[str, object]:
    return train.model_dump(mode="json", include=set(_MATTERS))
