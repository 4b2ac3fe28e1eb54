"""A user's own trainer goes through the same process as the built-in ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from synth.config.locate import make_importable
from synth.errors import TrainError
from synth.students import launch
from synth.students.job import weights_digest
from tests.students.conftest import MakeJob

FLOW = Path(__file__).parents[2] / "examples" / "own_trainer" / "flow.yaml"


async def test_the_example_s_trainer_is_found_beside_its_flow_file_and_trains(
    make_job: MakeJob, tiny: Path
) -> None:
    """The module is not installed and not in the current directory; training finds it."""
    make_importable(FLOW)
    job = make_job(train={"trainer": "own_trainer:smoothed", "lora": None, "epochs": 1}, model=tiny)
    seen: list[float] = []
    result = await launch.train(job, lambda line: seen.append(line["loss"]))
    assert result.steps == 30 and len(seen) == 30
    assert sum(seen[-5:]) < sum(seen[:5])
    assert result.weights == weights_digest(job.output) != weights_digest(tiny)
    assert (job.output / "README.md").is_file()


async def test_one_that_is_not_there_is_named(make_job: MakeJob, tiny: Path) -> None:
    """Where the check before the run was passed by, the training process says it."""
    job = make_job(train={"trainer": "own_trainer:rough", "lora": None}, model=tiny)
    make_importable(FLOW)
    with pytest.raises(TrainError, match="the trainer 'own_trainer:rough' cannot be loaded"):
        await launch.train(job)
