"""Recipes: papers' settings under what a flow file writes, their faults placed where they are named."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from config_flows import Faults, Load

from synth.config import Train
from synth.config.objectives import NEEDS
from synth.config.recipes import built_in, launch_file

TEXT = """\
flow: stat
models: {student: {model: m}, judge: {model: m}}
train:
  recipe: delta-dpo
  learning_rate: 0.001
  dpo: {beta: 7}
learners:
  judge: {recipe: spar-sft}
"""


@pytest.mark.parametrize("name", built_in("recipes"))
def test_every_recipe_is_a_training(name: str) -> None:
    """A built-in recipe loads as strictly as a flow file, and begins by saying whose settings they are."""
    text = built_in("recipes")[name].read_text()
    train = Train.model_validate_json(json.dumps(yaml.safe_load(text)), strict=True)
    assert train.objective in NEEDS
    assert text.startswith("# ")


def test_the_docs_list_every_recipe() -> None:
    """What can be named can be found."""
    page = (Path(__file__).parents[2] / "docs" / "training.md").read_text()
    listed = set(re.findall(r"^\| `([a-z0-9-]+)` \|", page, re.MULTILINE))
    assert set(built_in("recipes")) <= listed
    assert {*NEEDS, *built_in("accelerate")} <= set(re.findall(r"`([a-z0-9-]+)`", page))


def test_what_is_written_goes_before_the_recipe(load: Load) -> None:
    """Sections are merged; everything else stays as it is written, in `learners` too."""
    loaded = load(TEXT)
    train, judge = loaded.flow.train, loaded.flow.learners["judge"]
    assert (train.objective, train.learning_rate, train.dpo.beta) == ("dpo", 0.001, 7)
    assert train.dpo.length_normalised and train.final_rate == 0.1 and train.betas == (0.9, 0.95)
    assert (judge.objective, judge.epochs, judge.lora) == ("sft", 5, None)
    overlaid = load(TEXT, overrides=["train.recipe=dft"]).flow.train
    assert (overlaid.objective, overlaid.learning_rate, overlaid.batch_size) == ("dft", 0.001, 8)


def test_a_resolved_file_needs_no_recipe(load: Load) -> None:
    """Resolved settings are whole, so a recipe that changes later changes no run that was begun."""
    resolved = load(TEXT).resolved()
    again = load(yaml.safe_dump(resolved)).flow
    assert again.train == load(TEXT).flow.train
    without = {**resolved, "train": {**resolved["train"], "recipe": None}}
    assert load(yaml.safe_dump(without)).flow.train == again.train.model_copy(update={"recipe": None})


def test_a_recipe_of_ones_own(load: Load, tmp_path: Path) -> None:
    """A YAML file beside the flow file; one that names another, or no settings, is refused."""
    (tmp_path / "mine.yaml").write_text("objective: simpo\nsimpo: {beta: 3}\n")
    text = "flow: stat\nmodels: {student: {model: m}}\ntrain: {recipe: ./mine.yaml, simpo: {gamma: 0.2}}\n"
    simpo = load(text).flow.train.simpo
    assert (simpo.beta, simpo.gamma) == (3, 0.2)


@pytest.mark.parametrize(
    ("recipe", "message", "cure"),
    [
        ("delta-dp", "there is no recipe 'delta-dp'", "did you mean 'delta-dpo'"),
        ("./none.yaml", "there is no recipe './none.yaml'", "did you mean 'other.yaml'"),
        ("./other.yaml", "is no recipe", "the keys of 'train'"),
    ],
)
def test_faults_name_the_place(faults: Faults, tmp_path: Path, recipe: str, message: str, cure: str) -> None:
    """Line and column of the name, not of what it stands for."""
    (tmp_path / "other.yaml").write_text("recipe: dft\n")
    [fault] = faults(f"flow: stat\nmodels: {{student: {{model: m}}}}\ntrain:\n  recipe: {recipe}\n")
    assert fault.where.endswith("flow.yaml:4:11") and fault.key == "train.recipe"
    assert message in fault.message and cure in fault.cure


def test_settings_that_do_not_go_together_name_the_section(faults: Faults) -> None:
    """A fault of the recipe and an override together is placed at the section that has both."""
    [fault] = faults(
        "flow: stat\nmodels: {student: {model: m}}\ntrain:\n  recipe: tulu-grpo\n  gradient_accumulation: 3\n"
    )
    assert fault.key == "train" and ":3:" in fault.where
    assert "multiple of grpo.generations" in f"{fault.message} {fault.cure}"


def test_a_launch_configuration_by_name_or_path(tmp_path: Path) -> None:
    """Built in, or beside the flow file; what is neither is None, which `synth check` names."""
    (tmp_path / "mine.yaml").write_text("num_processes: 2\n")
    flow = tmp_path / "flow.yaml"
    assert launch_file("fsdp", flow) == built_in("accelerate")["fsdp"]
    assert launch_file("mine.yaml", flow) == tmp_path / "mine.yaml"
    assert launch_file("none", flow) is None and launch_file(None, flow) is None
    for file in built_in("accelerate").values():
        assert yaml.safe_load(file.read_text())["num_processes"] >= 1
