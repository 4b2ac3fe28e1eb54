"""The model card: what a student was made from, how, and later how it did."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from synth.config.objectives import NEEDS, Objective
from synth.students.job import TrainJob, TrainResult, digest, weights_digest, write_file
from synth.students.souping import SoupJob, SoupResult

__all__ = ["add_evaluation", "write_card", "write_merged_card", "write_soup_card"]

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
DATA, EVALUATION = "## Data\n", "## Evaluation\n"
OBJECTIVES: dict[Objective, str] = {
    "sft": "supervised fine-tuning",
    "dft": "dynamic fine-tuning (DFT)",
    "asft": "anchored supervised fine-tuning (ASFT)",
    "pear": "reweighted supervised fine-tuning (PEAR)",
    "response-only": "response tuning",
    "dpo": "preference optimisation",
    "kto": "preference optimisation (KTO)",
    "orpo": "preference optimisation (ORPO)",
    "simpo": "preference optimisation (SimPO)",
    "grpo": "reinforcement by a verifier (GRPO)",
    "prefix-rft": "reinforcement by a verifier from the beginnings of demonstrations (Prefix-RFT)",
    "hpt": "reinforcement by a verifier with demonstrations (HPT)",
}


NEAR = 3
"""Folders up and down within which two paths are of one run, so that a card can name one from the other."""
UNTOLD = ("threads", "save_steps", "launch", "trackers")
"""Settings that say nothing of the weights."""


def write_card(folder: Path, job: TrainJob, result: TrainResult) -> None:
    """Write `README.md` into the folder of weights that will be moved to `job.output`."""
    text = TEMPLATES.get_template("card.md.j2").render(
        job=job,
        result=result,
        base=job.name or job.model.name,
        **_parent(job),
        data=_seen_from(job.output, job.data),
        data_digest=digest([job.data]),
        recipe=_recipe(job),
        objective=OBJECTIVES[job.train.objective],
    )
    write_file(folder / "README.md", text)


def write_merged_card(folder: Path, job: TrainJob, weights: str) -> None:
    """Write `README.md` of the adapter folded into its base: what it is now, and what its own card tells."""
    assert job.adapter is not None
    card = job.adapter / "README.md"
    told = card.read_text(encoding="utf-8") if card.is_file() else ""
    text = TEMPLATES.get_template("merged.md.j2").render(
        base=job.name or job.model.name,
        weights=weights,
        adapter=weights_digest(job.adapter),
        told="".join(told.partition(DATA)[1:]),
    )
    write_file(folder / "README.md", text)


def write_soup_card(folder: Path, job: SoupJob, result: SoupResult) -> None:
    """Write `README.md` of a model made of others."""
    parts = [
        (part.title or (part.adapter or part.model).name, weights_digest(part.adapter or part.model))
        for part in job.parts
    ]
    text = TEMPLATES.get_template("soup.md.j2").render(job=job, result=result, parts=parts)
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
    objective = job.train.objective
    own = {objective.replace("-", "_")}
    if NEEDS[objective] in ("truths", "demonstrations"):
        own.add("grpo")
    rows: dict[str, Any] = {}
    for name, value in job.train.model_dump(mode="json", exclude={"lora", *UNTOLD}).items():
        if not isinstance(value, dict):
            rows[name] = value
        elif name in own:
            rows |= {f"{name}.{inner}": setting for inner, setting in value.items()}
    if job.steps:
        rows.pop("epochs")
    lora = job.train.lora
    bits = f", the base in {lora.bits} bits" if lora and lora.bits else ""
    return {
        "weights": f"LoRA r {lora.r}, alpha {lora.alpha}, {_layers(lora.layers)}{bits}" if lora else "all",
        **rows,
    }


def _parent(job: TrainJob) -> dict[str, str | None]:
    """The student that training went on from, and its digest; none where it began with the base model."""
    near = os.path.relpath(job.model, job.output).count("..") <= NEAR
    start = job.adapter or (job.model if near else None)
    if start is None:
        return {"parent": None, "parent_digest": None}
    return {"parent": _seen_from(job.output, start), "parent_digest": weights_digest(start)}


def _layers(top: int | None) -> str:
    return f"top {top} layers" if top else "all layers"


def _seen_from(folder: Path, path: Path) -> str:
    """Relative where both lie in one run folder, so that a run can be moved."""
    relative = os.path.relpath(path, folder)
    return relative if relative.count("..") <= NEAR else str(path)
