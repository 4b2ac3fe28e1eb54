"""Training by two processes that talk by gloo: the same steps as by one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from synth.config.recipes import built_in
from synth.students import launch
from synth.students.job import TrainJob

pytestmark = pytest.mark.slow
STEPS = 6


async def losses(job: TrainJob) -> list[float]:
    """Train; the loss of every step as it was logged."""
    await launch.train(job)
    lines = [orjson.loads(line) for line in job.log.read_bytes().splitlines()]
    return [line["loss"] for line in lines if "loss" in line][:STEPS]


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    [file] = folder.glob("*.safetensors")
    return load_file(file)


async def test_two_processes_take_the_steps_of_one(make_job: Callable[..., TrainJob], tiny: Path) -> None:
    """Losses of every step, and the student at the end, within what the order of sums changes."""
    import torch

    train = {"epochs": 0.2}
    alone = make_job("alone", model=tiny, train=train)
    both = make_job("both", model=tiny, train=train, launch=built_in("accelerate")["two-cpus"])
    one, two = await losses(alone), await losses(both)
    assert len(one) == STEPS
    assert two == pytest.approx(one, abs=1e-3)
    first, second = weights(alone.output), weights(both.output)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        torch.testing.assert_close(second[name].float(), tensor.float(), atol=2e-3, rtol=0.0, msg=name)
