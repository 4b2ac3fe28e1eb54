"""`python -m synth.students.merge JOB.json`: a trained adapter merged into its base model's weights."""

from __future__ import annotations

import shutil
import sys

from synth.students.job import TrainJob, TrainResult, weights_digest, write_file
from synth.students.process import run


def main(job: TrainJob) -> None:
    """Write `job.model` with `job.adapter` in it to `job.output`, a model like any other.

    Merged in fp32 and given back in the base model's own precision. Raises `TrainError`.
    """
    import torch
    from transformers import AutoConfig

    from synth.students.card import write_merged_card
    from synth.students.weights import load_model

    temporary = job.output.with_name(f".{job.output.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    leave = shutil.ignore_patterns("*.safetensors", "*.safetensors.index.json", "*.bin", ".*", "README.md")
    shutil.copytree(job.model, temporary, ignore=leave)
    model = load_model(job)
    model.to(AutoConfig.from_pretrained(job.model).dtype or torch.float32)
    model.save_pretrained(temporary)
    weights = weights_digest(temporary)
    write_merged_card(temporary, job, weights)
    result = TrainResult(
        job=job.fingerprint(),
        output=job.output,
        weights=weights,
        steps=0,
        examples=0,
        left_out=0,
        tokens=0,
        seconds=0.0,
        loss=0.0,
    )
    write_file(job.report, result.model_dump_json(indent=2))
    shutil.rmtree(job.output, ignore_errors=True)
    temporary.rename(job.output)


if __name__ == "__main__":
    sys.exit(run(main))
