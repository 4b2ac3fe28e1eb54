"""The JSON Schema agrees with the loader on what is right and what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from config_flows import FLOWS
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from synth.config import flow_schema
from synth.config.handbook import flow_reference
from synth.flowfiles import params_of
from synth.flows import BUILT_IN

SCHEMA = flow_schema(FLOWS)
GOOD = """\
flow: stat
models:
  teacher: {model: big, base_url: "http://h/v1", api_key: "env:KEY"}
  student: {model: {scratch: tiny}, server: {args: [--foo]}}
data: {pool: {source: tasks, families: [sums]}}
with: {arm: fixed, steps: auto, skills: [a]}
train: {lora: null, learning_rate: 0.0001}
profiles: {quick: {rounds: 1}}
"""


def errors(text: str) -> set[str]:
    """Paths of what the schema refuses."""
    found = Draft202012Validator(SCHEMA).iter_errors(yaml.safe_load(text))
    return {error.json_path for error in found}


def test_the_schema_is_a_schema() -> None:
    """It declares its draft and passes that draft's own schema."""
    assert SCHEMA["$schema"] == Draft202012Validator.META_SCHEMA["$schema"]
    Draft202012Validator.check_schema(SCHEMA)


def test_a_right_file_passes() -> None:
    """No editor marks a file that loads."""
    assert errors(GOOD) == set()
    assert errors("flow: my.mod:build\nmodels: {s: {model: m}}\nwith: {anything: 1}\n") == set()


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("flow: stat", "flow: stt", "$.flow"),
        ("train:", "trian:", "$"),
        ("arm: fixed", "arm: fixt", "$.with.arm"),
        ("arm: fixed", "amr: fixed", "$.with"),
        ("learning_rate: 0.0001", "learning_rate: -1", "$.train.learning_rate"),
        ("{scratch: tiny}", "{scratch: tny}", "$.models.student.model"),
        ("source: tasks", "size: 3", "$.data.pool"),
        ("{rounds: 1}", "{ronds: 1}", "$.profiles.quick"),
        ("flow: stat", "flow: spar", "$.with"),
    ],
)
def test_a_wrong_file_is_marked_where_it_is_wrong(old: str, new: str, path: str) -> None:
    """Wrong values are found at their place, and `with` is checked by the flow that is named."""
    assert GOOD.count(old) == 1
    assert path in errors(GOOD.replace(old, new))


def test_with_is_required_where_a_parameter_has_no_default() -> None:
    """`spar` needs `depth`, so a file without `with` is not complete."""
    assert errors("flow: spar\nmodels: {s: {model: m}}\n") == {"$"}


def test_descriptions_come_from_the_docstrings() -> None:
    """What an editor shows while hovering is what the source says, for flows too."""
    definitions: dict[str, Any] = SCHEMA["$defs"]
    assert definitions["Train"]["properties"]["save_steps"]["description"].startswith("A checkpoint every")
    assert definitions["Params"]["properties"]["arm"]["description"] == "Which variant of the method runs."
    assert SCHEMA["properties"]["profiles"]["description"].startswith("Named overlays")


def test_the_reference_page_is_what_the_models_say() -> None:
    """docs/flow-file.md is made by `synth schema --markdown docs/flow-file.md`, after every change."""
    page = Path(__file__).parents[2] / "docs" / "flow-file.md"
    assert page.read_text() == flow_reference({name: params_of(name) for name in BUILT_IN})
