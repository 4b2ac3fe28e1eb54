"""What a right flow file means: numbers, words, anchors, defaults, and the resolved file."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from conftest import Load, Params, params_of
from synth.config import Scratch, load_flow

HEAD = "flow: stat\nmodels: {student: {model: m}}\n"


@pytest.mark.parametrize(
    ("section", "value"),
    [
        ("train: {learning_rate: 1e-4}", 1e-4),
        ("train: {learning_rate: 1.5E-05}", 1.5e-5),
        ("train: {learning_rate: .5}", 0.5),
        ("train: {learning_rate: 1}", 1.0),
        ("budget: {tokens: 2_000_000}", 2_000_000),
        ("budget: {tokens: 1e6}", 1_000_000),
        ("train: {seed: 012}", 12),
        ("train: {seed: 0x10}", 16),
        ("train: {packing: true}", True),
        ("train: {lora: ~}", None),
        ("data: {source: 1:30}", "1:30"),
        ("data: {source: 2026-01-01}", "2026-01-01"),
        ("data: {source: .nan}", ".nan"),
        ("data: {source: 1e999}", "1e999"),
        ("with: {refine: off}", "off"),
        ("with: {refine: on}", "on"),
        ("evaluate: {system: no}", "no"),
        ("evaluate: {system: ${HOME} $x}", "${HOME} $x"),
        ("evaluate: {system: !!str 5}", "5"),
    ],
)
def test_scalars_mean_what_they_look_like(load: Load, section: str, value: object) -> None:
    """YAML 1.1's surprises (`1e-4` as text, `off` as false, sexagesimals, dates) do not happen."""
    if section.startswith("data"):
        section = section.replace("data: {", "data: {pool: {").replace("}", "}}")
    found = load(f"{HEAD}{section}\n").resolved()
    name, _, key = section.partition(":")
    found = found[name]["pool"] if name == "data" else found[name]
    assert found[key.strip(" {p").partition(":")[0].removeprefix("ool: {")] == value


def test_anchors_and_merged_sections(load: Load) -> None:
    """`<<` brings in keys and yields to those written beside it, as usual in YAML."""
    flow = load("""\
        flow: stat
        models:
          teacher: &t {model: m, timeout: 5, concurrency: 2}
          student: {<<: *t, timeout: 7}
          judge: *t
        """).flow
    assert (flow.models["student"].timeout, flow.models["student"].concurrency) == (7, 2)
    assert flow.models["judge"] == flow.models["teacher"]


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
    assert (resolved["rounds"], resolved["train"]["lora"], resolved["train"]["learning_rate"]) == (2, None, 1e-5)
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


def test_a_flow_s_own_import_error_is_a_problem(load: Load) -> None:
    """Whatever a user's module raises while it is imported ends as one problem, not a traceback."""

    def broken(flow: str) -> type[Params]:
        raise SyntaxError("invalid syntax (my.py, line 3)")

    del params_of
    assert load_flow is not None
    with pytest.raises(Exception, match="'stat' cannot be loaded: SyntaxError: invalid syntax"):
        load(HEAD, params=broken)
