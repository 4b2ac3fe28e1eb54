"""Every way a flow file can be wrong: where the message points, what it names, what it advises.

Columns are counted from 1. `HEAD` is three lines long, so what follows it begins on line 4.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from config_flows import Faults, Load

from synth.config import load_flow
from synth.errors import ConfigError

HEAD = "flow: stat\nmodels:\n  student: {model: m}\n"

# (file, where, key, part of the message, part of the cure)
BAD = [
    ("", "1:1", "", "the file is empty", "begin with 'flow: NAME'"),
    ("# nothing\n", "1:1", "", "the file is empty", "begin with 'flow: NAME'"),
    ("\n- flow: stat\n", "2:1", "", "found a list", "one key a line"),
    ("hello\n", "1:1", "", "found plain text", "one key a line"),
    ("flow: stat\nmodels:\n\tstudent: {model: m}\n", "3:1", "", "a tab", "indent with spaces"),
    ('flow: "stat\nmodels: {}\n', "1:7", "", "quote is never closed", "close it"),
    ("flow: stat\nmodels: {student: {model: m}\n", "2:9", "", "'{' is never closed", "'}'"),
    ("flow: a: b\n", "1:8", "", "a second ':'", "in quotes"),
    ("flow: stat\nrounds\nseed: 1\n", "2:1", "", "no 'key: value'", "write ': ' after the key"),
    ("flow: stat\nmodels:\n    a: {}\n  b: {}\n", "4:3", "", "fits no section", "indent keys"),
    ("flow: *x\n", "1:7", "", "an anchor that is not there", "in quotes"),
    (HEAD + "---\nflow: stat\n", "4:1", "", "a second document", "'---'"),
    ("flow: st\x07at\n", "1:9", "", "control character (0x07)", "remove it"),
    ("flow: stat\nmodels: &m {a: *m}\n", "1:1", "", "nests too deeply", "anchors"),
    (HEAD + "seed: !!python/name:os.system\n", "4:7", "seed", "the tag", "remove it"),
    (HEAD + "seed: !!int x\n", "4:7", "seed", "this is no int", "remove the tag"),
    (HEAD + 'name: "\\ud800"\n', "4:7", "name", "half of a character", "escape"),
    (HEAD + '"\\ud800": 1\n', "4:1", "", "one word", "in quotes"),
    (HEAD + "train: {<<: 3}\n", "4:13", "train", "'<<' takes in a section", "&name"),
    (HEAD + "evaluate: {system: {{a: b}: c}}\n", "4:21", "evaluate.system", "one word", "in quotes"),
    (HEAD + "seed: 1\nflow: stat\n", "5:1", "flow", "written twice, first at flow.yaml:1:1", "keep one"),
    (HEAD + "train:\n  seed: 1\n  seed: 2\n", "6:3", "train.seed", "first at flow.yaml:5:3", "keep"),
    (HEAD + "ronds: 2\n", "4:1", "ronds", "unknown key", "did you mean 'rounds'?"),
    (HEAD + "train: {lora: {rr: 8}}\n", "4:16", "train.lora.rr", "unknown key", "did you mean 'r'?"),
    (HEAD + "gate: {zzz: 1}\n", "4:8", "gate.zzz", "unknown key", "metric, test, alpha, promote, on_reject"),
    (HEAD + "train: {lr: 1e-4}\n", "4:9", "train.lr", "unknown key", "'learning_rate'"),
    (HEAD + "epochs: 2\n", "4:1", "epochs", "unknown key", "belongs under 'train'"),
    (HEAD + "train: {rounds: 2}\n", "4:9", "train.rounds", "unknown key", "top of the file"),
    (HEAD + "arm: fixed\n", "4:1", "arm", "unknown key", "belongs under 'with'"),
    (HEAD + "with:\n  amr: fixed\n", "5:3", "with.amr", "unknown key", "did you mean 'arm'?"),
    (HEAD + 'seed: "3"\n', "4:7", "seed", "expected a whole number, found '3'", "remove the quotes"),
    (HEAD + "rounds: 2.5\n", "4:9", "rounds", "a whole number, found 2.5", "default: 1"),
    (HEAD + "rounds: true\n", "4:9", "rounds", "a whole number, found true", "default: 1"),
    (HEAD + "train: {epochs: two}\n", "4:17", "train.epochs", "a number, found 'two'", "1.0"),
    (HEAD + "train: {packing: yes}\n", "4:18", "train.packing", "true or false", "write true"),
    (HEAD + "name: 2024\n", "4:7", "name", "expected text, found 2024", 'put it in quotes: "2024"'),
    (HEAD + "evaluate: {prompt: {question}}\n", "4:12", "evaluate.prompt", "text", '"{question}"'),
    (HEAD + "with: {skills: a}\n", "4:16", "with.skills", "a list of text", "write it in brackets"),
    (HEAD + "with: {skills: [a, 2]}\n", "4:20", "with.skills.1", "expected text", "in quotes"),
    (HEAD + "on_error: stp\n", "4:11", "on_error", "a section with budget or one of: stop", "mean 'stop'?"),
    (HEAD + "on_error: {budget: 5}\n", "4:20", "on_error.budget", "expected text", '"5"'),
    (HEAD + "gate: [1]\n", "4:1", "gate", "found a list", "on the lines below"),
    (HEAD + "with:\n", "4:6", "with", "found nothing", "remove the line"),
    (HEAD + "rounds: 0\n", "4:9", "rounds", "must be more than 0, found 0", "default: 1"),
    (HEAD + "gate: {alpha: 1}\n", "4:15", "gate.alpha", "must be less than 1, found 1", "0.05"),
    (HEAD + "with: {questions_per_skill: -1}\n", "4:29", "with.questions_per_skill",
     "must be more than 0, found -1", "the default is 5"),
    (HEAD + "train:\n  scheduler: cosin\n", "5:14", "train.scheduler",
     "one of: constant, linear, cosine, constant_with_warmup, found 'cosin'", "did you mean 'cosine'?"),
    (HEAD + "with: {arm: fixt}\n", "4:13", "with.arm", "faithful, fixed, shuffled", "mean 'fixed'?"),
    (HEAD + "with: {steps: atuo}\n", "4:15", "with.steps", "a whole number or 'auto'", "'auto'?"),
    ("models: {s: {model: m}}\n", "1:1", "flow", "required and missing", "write 'flow: ...'"),
    (HEAD + "data:\n  pool: {size: 3}\n", "5:3", "data.pool.source", "required", "write 'source: ...'"),
    ("flow: spar\nmodels: {s: {model: m}}\nwith: {}\n", "3:1", "with.depth", "required", "depth"),
    ("flow: stt\nmodels: {s: {model: m}}\n", "1:7", "flow", "no flow 'stt'", "did you mean 'stat'?"),
    ("flow: my.mod:build\nmodels: {s: {model: m}}\n", "1:7", "flow",
     "cannot be loaded: No module named 'my.mod'", "module:function"),
    (HEAD + "name: a/b\n", "4:7", "name", "folder bears this name", "without slashes"),
    (HEAD + "evaluate: {prompt: hi}\n", "4:20", "evaluate.prompt", "no place", "write {question}"),
    (HEAD + "profiles:\n  a:\n    trian: {}\n", "6:5", "profiles.a.trian",
     "unknown key", "did you mean 'train'?"),
    (HEAD + "profiles: {a: 3}\n", "4:15", "profiles.a", "a section", "write"),
]  # fmt: skip

# The same for what stands under `models: s:`, on line 3.
ROLES = [
    ("{}", "3:3", "models.s", "nobody plays this role", "model, base_url with model, or program"),
    ("qwen", "3:6", "models.s", "a section with model", "write {model: qwen}"),
    ("{model: m, program: 'a:b'}", "3:3", "models.s", "not by both", "keep one"),
    ("{model: {scratch: tiny}, base_url: http://h/v1}", "3:3", "models.s", "endpoint", "'model'"),
    ("{model: [a]}", "3:7", "models.s.model", "expected text or a section with scratch", "not a list"),
    ("{model: {scratch: tny}}", "3:24", "models.s.model.scratch", "expected 'tiny'", "mean 'tiny'"),
    ("{model: {scratch: tiny, sed: 1}}", "3:30", "models.s.model.sed", "unknown key", "'seed'"),
    ("{scratch: tiny}", "3:7", "models.s.scratch", "unknown key", "under 'models.s.model'"),
    ("{model: {scratch: tiny, steps: 0}}", "3:37", "models.s.model.steps", "more than 0", "300"),
    ("{model: m, server: {port: 99999}}", "3:32", "models.s.server.port", "at most 65535", "Fixed port"),
    ("{model: m, base_url: localhost}", "3:27", "models.s.base_url", "no", "http://127.0.0.1:8000/v1"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "where", "key", "message", "cure"), BAD)
def test_a_fault_is_placed_named_and_cured(
    faults: Faults, text: str, where: str, key: str, message: str, cure: str
) -> None:
    """One fault is one problem, with line and column, dotted key, plain words and advice."""
    matching = [p for p in faults(text) if p.where == f"flow.yaml:{where}" and p.key == key]
    assert len(matching) == 1, [str(problem) for problem in faults(text)]
    assert message in matching[0].message
    assert cure in matching[0].cure


@pytest.mark.parametrize(("role", "where", "key", "message", "cure"), ROLES)
def test_a_wrong_role_is_one_problem(
    faults: Faults, role: str, where: str, key: str, message: str, cure: str
) -> None:
    """The union behind `model` never shows: each fault is told once, at the innermost key."""
    (problem,) = faults(f"flow: stat\nmodels:\n  s: {role}\n")
    assert (problem.where, problem.key) == (f"flow.yaml:{where}", key)
    assert message in problem.message
    assert cure in problem.cure


def test_all_faults_come_at_once_in_the_order_of_the_file(faults: Faults) -> None:
    """A person mends a file in one go, from top to bottom."""
    problems = faults("""\
        flow: stat
        models:
          student: {modle: m}
        seed: x
        with: {arm: 3}
        train: {epochs: -1, lora: {r: 0}}
        profiles: {a: {foo: 1}}
        """)
    assert [(p.where.removeprefix("flow.yaml:"), p.key) for p in problems] == [
        ("3:13", "models.student.modle"),
        ("4:7", "seed"),
        ("5:13", "with.arm"),
        ("6:17", "train.epochs"),
        ("6:31", "train.lora.r"),
        ("7:16", "profiles.a.foo"),
    ]


def test_a_misspelled_key_is_not_reported_as_missing_too(faults: Faults) -> None:
    """One slip, one message."""
    (problem,) = faults("flow: stat\nmodles: {s: {model: m}}\n")
    assert (problem.key, problem.cure) == ("modles", "did you mean 'models'?")


def test_no_message_speaks_the_validator_s_language(faults: Faults) -> None:
    """Every problem of every file above has a cure, and none quotes pydantic or PyYAML."""
    for text, *_ in BAD:
        for problem in faults(text):
            assert problem.cure, problem
            for jargon in ("Input should", "Field required", "Extra inputs", "Value error", "block mapping"):
                assert jargon not in str(problem)


@pytest.mark.parametrize(
    "role",
    [
        "{model: m, base_url: http://h/v1, api_key: sk-secret}",
        "{model: m, base_url: http://h/v1, api_key: [sk-secret]}",
        "{model: m, base_url: http://h/v1, api_key: {sk-secret: 1}}",
        "{model: m, base_url: http://h/v1, api_kye: sk-secret}",
        "{model: m, base_url: http://h/v1, api_key: 'env:sk-secret'}",
        "{model: m, base_url: http://h/v1, api_key: '${sk-secret}'}",
        "{model: m, base_url: 'http://u:sk-secret@h/v1'}",
        "{model: m, base_url: 'http://h/v1?key=sk-secret'}",
        "{model: m, server: {args: [--api-key=sk-secret]}}",
        "{model: m, server: {args: --api-key sk-secret}}",
    ],
)
def test_a_key_is_refused_and_never_shown(faults: Faults, role: str) -> None:
    """A secret in a flow file is an error, and the error does not repeat it."""
    problems = faults(f"flow: stat\nmodels:\n  s: {role}\n")
    assert problems
    assert not any("sk-secret" in f"{p.message} {p.cure} {p.where}" for p in problems)


def test_text_that_is_not_utf8(faults: Faults) -> None:
    """The place of the first wrong byte is counted in characters."""
    (problem,) = faults("flow: stat\nname: häuser ".encode() + b"\xe4\n")
    assert problem.where == "flow.yaml:2:14"
    assert "0xe4" in problem.message
    assert problem.cure == "save the file as UTF-8"


def test_files_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong path names the nearest flow file, a folder those in it."""
    monkeypatch.chdir(tmp_path)
    Path("stat.yaml").write_text(HEAD)
    for name, message, cure in [
        ("stta.yaml", "there is no such file", "did you mean 'stat.yaml'?"),
        ("none/stat.yaml", "there is no such file", "no folder none"),
        (".", "this is a folder", "stat.yaml"),
    ]:
        with pytest.raises(ConfigError) as caught:
            load_flow(Path(name))
        (problem,) = caught.value.problems
        assert problem.where == name
        assert message in problem.message
        assert cure in problem.cure


def test_a_data_file_is_not_taken_for_a_flow_file(tmp_path: Path) -> None:
    """A large file is refused by its size, before it is parsed."""
    path = tmp_path / "rows.jsonl"
    path.touch()
    os.truncate(path, 2 << 20)
    with pytest.raises(ConfigError, match="larger than 1 MiB"):
        load_flow(path)


def test_no_text_whatsoever_ends_in_a_traceback(load: Load) -> None:
    """Characters struck out, doubled or swapped: the file loads or `ConfigError` says why not."""
    text = HEAD + "train: {lora: {r: 8}, epochs: 1e0}\nwith:\n  skills: ['a', \"b\"]\nprofiles: {a: {}}\n"
    put_in = [*"\t\n :-#&*!|>'\"%@{}[],?=<0", "\x00", "", "  "]
    chance, refused = random.Random(0), 0
    for _ in range(80):
        letters = list(text)
        for _ in range(chance.randint(1, 4)):
            letters[chance.randrange(len(letters))] = chance.choice(put_in)
        try:
            load("".join(letters), profile="a")
        except ConfigError as error:
            refused += 1
            assert all(problem.where and problem.cure for problem in error.problems)
    assert refused > 40
