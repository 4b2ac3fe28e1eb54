"""Profiles and `--set`: what they change, what they refuse, and where their faults are placed."""

from __future__ import annotations

import pytest
from config_flows import Faults, Load, Params

TEXT = """\
flow: stat
rounds: 3
models:
  teacher: {model: big, base_url: http://h/v1, api_key: env:KEY}
  student: {model: small}
data:
  pool: {source: tasks, families: [sums, words]}
train: {epochs: 2, lora: {r: 8, alpha: 16}}
with: {arm: faithful, skills: [a, b]}
profiles:
  quick:
    rounds: 1
    train: {epochs: 1, lora: {r: 4}}
    models:
      teacher: {base_url: null, api_key: null, model: tiny}
  whole: {train: {lora: null}, data: {test: {source: tasks}}}
"""


def test_a_profile_is_merged_into_the_file(load: Load) -> None:
    """Sections are merged to any depth, null drops a key, and what is not named stays."""
    flow = load(TEXT, profile="quick").flow
    assert (flow.rounds, flow.train.epochs) == (1, 1)
    assert flow.train.lora is not None
    assert (flow.train.lora.r, flow.train.lora.alpha) == (4, 16)
    assert flow.models["teacher"].kind == "local"
    assert flow.models["student"].model == "small"
    whole = load(TEXT, profile="whole").flow
    assert whole.train.lora is None
    assert list(whole.data) == ["pool", "test"]
    assert load(TEXT).flow.rounds == 3


def test_set_wins_over_the_profile_and_reads_yaml(load: Load) -> None:
    """The order is file, profile, command line; a value is YAML, a list item has its number."""
    loaded = load(
        TEXT,
        profile="quick",
        overrides=[
            "rounds=7",
            "train.learning_rate=1e-5",
            "train.lora=null",
            "with.arm=shuffled",
            "with.skills.1=c",
            "data.pool.families=[x]",
            "models.judge={model: j}",
            "models.student.server.port=8001",
            "gate.alpha=0.1",
            "evaluate.prompt='Q: {question}'",
            "name=a=b",
        ],
    )
    flow, params = loaded.flow, loaded.params
    assert (flow.rounds, flow.train.learning_rate, flow.train.lora) == (7, 1e-5, None)
    assert isinstance(params, Params)
    assert (params.arm, params.skills) == ("shuffled", ("a", "c"))
    assert flow.data["pool"].families == ("x",)
    assert flow.models["judge"].model == "j"
    assert flow.models["student"].server.port == 8001
    assert (flow.gate.alpha, flow.evaluate.prompt, flow.name) == (0.1, "Q: {question}", "a=b")


def test_null_becomes_a_section_again(load: Load) -> None:
    """`--set train.lora.r=2` turns adapters on where the file turned them off."""
    flow = load(TEXT, profile="whole", overrides=["train.lora.r=2"]).flow
    assert flow.train.lora is not None
    assert (flow.train.lora.r, flow.train.lora.alpha) == (2, 32)


@pytest.mark.parametrize(
    ("override", "where", "key", "message", "cure"),
    [
        ("with.arm=fixt", "with.arm", "with.arm", "one of: faithful", "did you mean 'fixed'?"),
        ("train.epochs=0", "train.epochs", "train.epochs", "must be more than 0", "1.0"),
        ("trian.epochs=1", "trian.epochs", "trian", "unknown key", "did you mean 'train'?"),
        ("train.epoch=1", "train.epoch", "train.epoch", "unknown key", "did you mean 'epochs'?"),
        ("models.techer.model=x", "models.techer.model", "models.techer", "no such entry", "'teacher'?"),
        ("data.test.size=1", "data.test.size", "data.test", "no such entry", "--set 'data.test={...}'"),
        ("data.test={size: 1}", "data.test", "data.test.source", "required and missing", "source: ..."),
        ("rounds.x=1", "rounds.x", "rounds", "holds a value, not a section", "set rounds itself"),
        ("with.skills.2=c", "with.skills.2", "with.skills.2", "there is no item 2", "write 0 to 1"),
        ("with.skills.x=c", "with.skills.x", "with.skills.x", "there is no item x", "set the whole list"),
        ("with.arm={a", "with.arm", "with.arm", "never closed", "close it"),
        ("profiles.quick=1", "profiles.quick", "profiles.quick", "cannot be set", "--profile NAME"),
        ("models.student.program=a:b", "models.student.program", "models.student.program", "both", "null"),
        ("models.student.api_key=k", "models.student.api_key", "models.student.api_key", "a key", "env:NAME"),
        ("seed", "seed", "", "expected KEY=VALUE", "--set train.epochs=2"),
        ("=3", "", "", "expected KEY=VALUE", "--set train.epochs=2"),
        ("a..b=3", "a..b", "", "expected KEY=VALUE", "--set train.epochs=2"),
    ],
)  # fmt: skip
def test_a_fault_of_set_is_placed_at_the_option(
    faults: Faults, override: str, where: str, key: str, message: str, cure: str
) -> None:
    """Not the file but the command line is to be mended, and the message says so."""
    (problem,) = faults(TEXT, overrides=[override])
    assert problem.where == f"--set {where}".rstrip()
    assert problem.key == key
    assert message in problem.message
    assert cure in problem.cure


def test_a_secret_put_into_set_by_mistake_is_not_shown(faults: Faults) -> None:
    """Neither a missing `=` nor a refused value repeats what was typed after the key."""
    problems = faults(
        TEXT, overrides=["models.teacher.api_key:sk-secret", "models.teacher.api_key=sk-secret"]
    )
    assert len(problems) == 2
    assert not any("secret" in str(problem) for problem in problems)


@pytest.mark.parametrize(
    ("body", "where", "key"),
    [
        ("train: {epochs: -1}", "6:21", "profiles.p.train.epochs"),
        ("train: {epoch: 1}", "6:13", "profiles.p.train.epoch"),
        ("models: {s: {program: 'a:b'}}", "6:27", "profiles.p.models.s.program"),
        ("data: {pool: {size: 1}}", "6:12", "profiles.p.data.pool.source"),
        ("trian: {}", "6:5", "profiles.p.trian"),
        ("profiles: {}", "6:5", "profiles.p.profiles"),
    ],
)
def test_a_fault_of_a_profile_is_placed_in_the_profile(
    faults: Faults, body: str, where: str, key: str
) -> None:
    """The line to mend is the profile's, also where it contradicts the file above it."""
    text = f"flow: stat\nmodels:\n  s: {{model: m}}\nprofiles:\n  p:\n    {body}\n"
    (problem,) = faults(text, profile="p")
    assert (problem.where, problem.key) == (f"flow.yaml:{where}", key)


def test_an_unknown_profile_names_the_nearest(faults: Faults) -> None:
    """A profile that is not there is an error, not the plain file."""
    (problem,) = faults(TEXT, profile="quik")
    assert (problem.where, problem.key) == ("--profile", "quik")
    assert problem.cure == "did you mean 'quick'? known here: quick, whole"
    (problem,) = faults("flow: stat\nmodels: {s: {model: m}}\n", profile="quick")
    assert problem.cure == "this file has no profiles"
