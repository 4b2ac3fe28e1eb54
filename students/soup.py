"""`python -m synth.students.soup JOB.json`: students averaged into one, layers of one restored.

Uniform soups are the mean of the weights (arXiv 2203.05482), here of whole weights: an adapter is
folded into its base first, since the mean of two adapters' matrices is not the mean of what they do.
Selective Layer Restoration (arXiv 2602.06665) copies a range of layers back from the model before its
post-training.
"""

from __future__ import annotations

import shutil
import sys
from typing import Any

from synth.errors import TrainError
from synth.students.job import weights_digest, write_file
from synth.students.process import run
from synth.students.souping import Part, SoupJob, SoupResult, Tried

State = dict[str, Any]


def main(job: SoupJob) -> None:
    """Write the model to `job.output`: a folder like any other, in the first student's own precision.

    Raises `TrainError` where the students are not of one shape.
    """
    import torch
    from transformers import AutoConfig

    from synth.students.card import write_soup_card
    from synth.students.restore import restored

    model = mean_of(job.parts)
    layers: tuple[int, int] | None = None
    front: list[Tried] = []
    if job.restore is not None:
        layers, front = restored(model, job.restore, job.parts[0].model)
    model.to(AutoConfig.from_pretrained(job.parts[0].model).dtype or torch.float32)
    part = job.output.with_name(f".{job.output.name}.new")
    shutil.rmtree(part, ignore_errors=True)
    leave = shutil.ignore_patterns("*.safetensors", "*.safetensors.index.json", "*.bin", ".*", "README.md")
    shutil.copytree(job.parts[0].model, part, ignore=leave)
    model.save_pretrained(part)
    result = SoupResult(output=job.output, weights=weights_digest(part), restored=layers, front=front)
    write_soup_card(part, job, result)
    write_file(job.report, result.model_dump_json(indent=2))
    shutil.rmtree(job.output, ignore_errors=True)
    part.rename(job.output)


def mean_of(parts: tuple[Part, ...]) -> Any:
    """A model with the mean of the students' weights, in fp32; one student is itself."""
    import torch

    model = whole(parts[0])
    total = model.state_dict()
    with torch.no_grad():
        for part in parts[1:]:
            other = whole(part).state_dict()
            _same(total, other, part)
            for name in _own(total):
                total[name] += other[name]
        for name in _own(total):
            total[name] /= len(parts)
    return model


def whole(part: Part) -> Any:
    """A student's whole weights in fp32, its adapter folded in."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(part.model, dtype=torch.float32, use_safetensors=True)
    return PeftModel.from_pretrained(model, part.adapter).merge_and_unload() if part.adapter else model


def _own(state: State) -> list[str]:
    """Names of the tensors, one each where two share their memory, as tied embeddings do."""
    found: dict[int, str] = {}
    for name, tensor in state.items():
        if tensor.is_floating_point():
            found.setdefault(tensor.data_ptr(), name)
    return list(found.values())


def _same(one: State, other: State, part: Part) -> None:
    ours, theirs = ({name: tuple(t.shape) for name, t in state.items()} for state in (one, other))
    if ours != theirs:
        raise TrainError(
            f"averaging {part.title or part.model}: its weights are not of the shape of the first student's",
            "name students of one base model",
        )


if __name__ == "__main__":
    sys.exit(run(main, SoupJob))
