"""What a right flow file means: numbers, words, anchors, defaults, and the resolved file."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from config_flows import Load, Params
from pydantic import BaseModel

from synth.config import Scratch
from synth.errors import ConfigError, SynthError

HEAD = "flow: stat\nmodels: {student: {model: m}}\n"


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("train.learning_rate", "1e-4", 1e-4),
        ("train.learning_rate", "1.5E-05", 1.5e-5),
        ("train.learning_rate", ".5", 0.5),
        ("train.learning_rate", "1", 1.0),
        ("budget.tokens", "2_000_000", 2_000_000),
        ("budget.tokens", "1e6", 1_000_000),
        ("train.seed", "012", 12),
        ("train.seed", "0x10", 16),
        ("train.seed", "-3", -3),
        ("train.packing", "true", True),
        ("train.lora", "~", None),
        ("with.refine", "off", "off"),
        ("with.refine", "on", "on"),
        ("evaluate.system", "no", "no"),
        ("evaluate.system", "1:30", "1:30"),
        ("evaluate.system", "2026-01-01", "2026-01-01"),
        ("evaluate.system", ".nan", ".nan"),
        ("evaluate.system", "1e999", "1e999"),
        ("evaluate.system", "!!str 5", "5"),
        ("evaluate.system", "${HOME} $x", "${HOME} $x"),
    ],
)
def test_scalars_mean_what_they_look_like(load: Load, key: str, text: str, value: object) -> None:
    """YAML 1.1's surprises (`1e-4` as text, `off` as false, sexagesimals, dates) do not happen."""
    section, _, name = key.partition(".")
    found = load(f"{HEAD}{section}:\n  {name}: {text}\n").resolved()[section][name]
    assert (found, type(found)) == (value, type(value))


def test_anchors_and_merged_sections(load: Load) -> None:
    """`<<` brings in keys and yields to those written beside it, as usual in YAML."""
    flow = load("""\
        flow: stat
        models:
          teacher: &t {model: m, timeout: 5, concurrency: 2}
          student: {<<: *t, timeout: 7}
          judge: &j {<<: *t, timeout: 9}
          critic: {<<: [*j, *t]}
        """).flow
    critic = flow.models["critic"]
    assert (critic.model, critic.timeout, critic.concurrency) == ("m", 9, 2)
    assert (flow.models["student"].timeout, flow.models["student"].concurrency) == (7, 2)


def test_aliases_cannot_grow_without_bound(load: Load) -> None:
    """Ten lines of nested aliases stand for a billion values; they are refused at once."""
    sections = "flow: stat\na0: &a0 {k: 1}\n"
    lists = "flow: stat\na0: &a0 [1]\n"
    for i in range(1, 31):
        sections += f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}\n"
        lists += f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n"
    for text in (sections, lists, "a: " + "[" * 60 + "]" * 60):
        with pytest.raises(ConfigError, match="nests too deeply or grows too large"):
            load(text)


def test_a_byte_order_mark_is_no_content(load: Load) -> None:
    """Files saved by editors that mark UTF-8 load as any other."""
    assert load(b"\xef\xbb\xbf" + HEAD.encode()).flow.flow == "stat"


def test_what_is_loaded_is_typed(load: Load) -> None:
    """The flow's own model holds `with`; the run is named after the file unless it has a name."""
    loaded = load(HEAD + "with: {arm: shuffled}\n")
    assert isinstance(loaded.params, Params)
    assert (loaded.params.arm, loaded.params.questions_per_skill) == ("shuffled", 5)
    assert loaded.flow.name == "flow"
    scratch = load("flow: stat\nname: mine\nmodels: {student: {model: {scratch: tiny}}}\n").flow
    assert scratch.name == "mine"
    assert scratch.models["student"].model == Scratch(scratch="tiny")


def test_without_a_model_with_stays_as_written(load: Load) -> None:
    """`load_flow` alone reads flows it does not know."""
    loaded = load("flow: other\nmodels: {s: {model: m}}\nwith: {a: [1, {b: x}]}\n", params=None)
    assert loaded.params is None
    assert loaded.resolved()["with"] == {"a": [1, {"b": "x"}]}


def test_the_resolved_file_loads_to_the_same_flow(load: Load) -> None:
    """`flow.yaml` in a run folder is complete: defaults, profile and `--set`, without profiles."""
    text = HEAD + "with: {arm: faithful}\ntrain: {lora: null}\nprofiles: {small: {rounds: 2}}\n"
    first = load(text, profile="small", overrides=["train.learning_rate=1e-5", "with.skills=[a, b]"])
    resolved = first.resolved()
    assert "profiles" not in resolved
    assert (resolved["rounds"], resolved["train"]["lora"], resolved["train"]["learning_rate"]) == (
        2,
        None,
        1e-5,
    )
    assert resolved["with"]["skills"] == ["a", "b"]
    for written in (json.dumps(resolved), yaml.safe_dump(resolved)):
        again = load(written)
        assert again.resolved() == resolved
        assert again.params == first.params


def test_a_key_is_stored_by_the_name_of_its_variable(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret is nowhere in what a run writes down."""
    monkeypatch.setenv("TEACHER_KEY", "sk-secret")
    loaded = load("flow: stat\nmodels: {t: {model: m, base_url: http://h/v1, api_key: env:TEACHER_KEY}}\n")
    resolved: dict[str, Any] = loaded.resolved()
    assert resolved["models"]["t"]["api_key"] == "env:TEACHER_KEY"
    assert "sk-secret" not in json.dumps(resolved)


def test_a_problem_found_later_is_placed_too(load: Load) -> None:
    """Checks that need the whole flow can still point at the line, or at the section above it."""
    loaded = load(HEAD + "data:\n  pool: {source: tasks}\n", overrides=["with.arm=fixed"])
    assert loaded.problem("data.pool.source", "m").where == "flow.yaml:4:18"
    assert loaded.problem("data.pool.size", "m").where == "flow.yaml:4:3"
    assert loaded.problem("with.arm", "m").where == "--set with.arm"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            SyntaxError("invalid syntax (my.py, line 3)"),
            "'stat' cannot be loaded: SyntaxError: invalid syntax",
        ),
        (KeyError("x"), "'stat' cannot be loaded: KeyError: 'x'"),
        (SystemExit(1), "'stat' cannot be loaded: SystemExit: 1"),
        (SynthError("build returns int, not a Flow", "return a Flow"), "flow: build returns int, not a Flow"),
        (LookupError(), "there is no flow 'stat'"),
    ],
)
def test_a_flow_that_fails_to_load_is_a_problem(load: Load, error: BaseException, told: str) -> None:
    """Whatever a user's module raises while it is imported is one problem, not a traceback."""

    def broken(flow: str) -> type[Params]:
        raise error

    with pytest.raises(ConfigError, match=f"flow.yaml:1:7.*{told}"):
        load(HEAD, params=broken)


def test_a_flow_beside_its_file_is_found(load: Load, tmp_path: Path) -> None:
    """`module:function` needs no installation: the flow file's folder can be imported from."""
    (tmp_path / "my_flow_beside.py").write_text("from config_flows import Needy\n")

    def imported(flow: str) -> type[BaseModel]:
        model: type[BaseModel] = importlib.import_module("my_flow_beside").Needy
        return model

    text = "flow: my_flow_beside:build\nmodels: {s: {model: m}}\nwith: {depth: 3}\n"
    assert load(text, params=imported).resolved()["with"] == {"depth": 3}
