"""The model card: what a student was made from, how, and later how it did."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from synth.students.job import TrainJob, TrainResult, digest, write_file

__all__ = ["add_evaluation", "write_card"]

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
EVALUATION = "## Evaluation\n"
OBJECTIVES = {"sft": "supervised fine-tuning", "dpo": "preference optimisation"}


def write_card(folder: Path, job: TrainJob, result: TrainResult) -> None:
    """Write `README.md` into the folder of weights that will be moved to `job.output`."""
    text = TEMPLATES.get_template("card.md.j2").render(
        job=job,
        result=result,
        base=job.name or job.model.name,
        parent=_seen_from(job.output, job.adapter) if job.adapter else None,
        data=_seen_from(job.output, job.data),
        data_digest=digest([job.data]),
        recipe=_recipe(job),
        objective=OBJECTIVES[job.train.objective],
    )
    write_file(folder / "README.md", text)


def add_evaluation(folder: Path, decision: Mapping[str, Any]) -> None:
    """Put the gate's decision into a student's card, in place of an earlier one.

    `decision` is a `synth.measure.gate.Decision` as JSON.
    """
    card = folder / "README.md"
    before = card.read_text(encoding="utf-8").partition(EVALUATION)[0].rstrip() if card.exists() else ""
    text = TEMPLATES.get_template("evaluation.md.j2").render(decision=decision)
    write_file(card, f"{before}\n\n{text}")


def _recipe(job: TrainJob) -> dict[str, Any]:
    """The settings as rows of a table, LoRA's among them."""
    rows = job.train.model_dump(mode="json", exclude={"lora", "threads", "save_steps", "dpo"})
    if job.train.objective == "dpo":
        rows |= {f"dpo.{name}": value for name, value in job.train.dpo.model_dump().items()}
    if job.steps:
        rows.pop("epochs")
    lora = job.train.lora
    return {
        "weights": f"LoRA r {lora.r}, alpha {lora.alpha}, {_layers(lora.layers)}" if lora else "all",
        **rows,
    }


def _layers(top: int | None) -> str:
    return f"top {top} layers" if top else "all layers"


def _seen_from(folder: Path, path: Path) -> str:
    """Relative where both lie in one run folder, so that a run can be moved."""
    relative = os.path.relpath(path, folder)
    return relative if relative.count("..") <= 3 else str(path)
