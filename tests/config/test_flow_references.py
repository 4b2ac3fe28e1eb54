"""What a flow file refers to must be there: files, programs, models, variables."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from config_flows import Load

from synth.config import check_files, load_flow, locate
from synth.errors import Problem

HEAD = "flow: stat\nmodels: {s: {model: m}}\n"


def test_a_path_is_looked_for_here_first_and_beside_the_flow_file_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flow file works from any directory, and a file at hand wins over the one beside it."""
    here, flows = tmp_path / "here", tmp_path / "flows"
    for folder in (here, flows):
        folder.mkdir()
        (folder / "both.jsonl").write_text("{}\n")
    (flows / "beside.jsonl").write_text("{}\n")
    monkeypatch.chdir(here)
    flow = flows / "stat.yaml"
    assert locate("both.jsonl", flow) == Path("both.jsonl")
    assert locate("beside.jsonl", flow) == flows / "beside.jsonl"
    assert locate(flows / "beside.jsonl", flow) == flows / "beside.jsonl"
    assert locate("both.jsonl", flow, base=tmp_path) == flows / "both.jsonl"
    assert locate("none.jsonl", flow) is None
    assert locate("", flow) is None


def check_source(load: Load, source: str) -> list[Problem]:
    """Problems of a file whose only data source is this."""
    return check_files(load(f"{HEAD}data:\n  pool: {{source: '{source}'}}\n"), Path())


@pytest.mark.parametrize(
    "source", ["tasks", "hub:openai/gsm8k", "rows.jsonl", "rows.csv", "docs", "~/rows.jsonl"]
)
def test_sources_that_are_there(
    load: Load, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Families, the hub, files and folders pass, with `~` as the shell reads it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "rows.jsonl").write_text("{}\n")
    (tmp_path / "rows.csv").write_text("a\n")
    (tmp_path / "docs" / "in").mkdir(parents=True)
    (tmp_path / "docs" / "in" / "a.csv").write_text("a\n")
    assert check_source(load, source) == []


@pytest.mark.parametrize(
    ("source", "message", "cure"),
    [
        ("row.jsonl", "no file or folder row.jsonl", "did you mean 'rows.jsonl'?"),
        ("dcs/a.md", "no file or folder dcs/a.md", "write tasks, hub:owner/name, or a path"),
        ("nosuch://a/b.jsonl", "Protocol not known: nosuch", "install what reads it"),
        ("openai/gsm8k", "no file or folder openai/gsm8k", "hub:openai/gsm8k"),
        ("hub:gsm8k", "expected hub:owner/name", "hub:openai/gsm8k"),
        ("hub:/gsm8k", "expected hub:owner/name", "hub:openai/gsm8k"),
        ("empty.jsonl", "empty.jsonl is empty", "write rows into it"),
        ("rows.xlsx", "not of a kind that is read", ".jsonl, .parquet, .csv"),
        ("bare", "holds no data", "put files of one kind into it"),
        ("mixed", "mixes kinds of files: .csv, .jsonl", "put files of one kind into it"),
    ],
)
def test_sources_that_are_not(load: Load, tmp_path: Path, source: str, message: str, cure: str) -> None:
    """A missing or unreadable source is found before anything is started."""
    (tmp_path / "rows.jsonl").write_text("{}\n")
    (tmp_path / "rows.xlsx").write_text("x")
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "bare").mkdir()
    (tmp_path / "mixed").mkdir()
    (tmp_path / "mixed" / "a.csv").write_text("a\n")
    (tmp_path / "mixed" / "a.jsonl").write_text("{}\n")
    (problem,) = check_source(load, source)
    assert (problem.where, problem.key) == ("flow.yaml:4:18", "data.pool.source")
    assert message in problem.message
    assert cure in problem.cure


def test_families_are_of_the_built_in_sources_only(load: Load, tmp_path: Path) -> None:
    """A key that would do nothing is told, not ignored."""
    (tmp_path / "rows.csv").write_text("a\n")
    loaded = load(f"{HEAD}data:\n  pool: {{source: rows.csv, families: [sums]}}\n")
    (problem,) = check_files(loaded, Path())
    assert (problem.where, problem.key) == ("flow.yaml:4:28", "data.pool.families")
    assert problem.cure == "write one of: tasks, instructions, topics, or leave families out"


def check_role(load: Load, role: str, **options: object) -> list[Problem]:
    """Problems of a file whose only role is this."""
    loaded = load(f"flow: stat\nmodels:\n  t: {role}\n")
    return check_files(loaded, Path(), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("program", "message", "cure"),
    [
        ("oracle_a:answer", "", ""),
        ("oracle_a:answr", "'oracle_a' has no 'answr'", "did you mean 'answer'?"),
        ("oracle_a:LIMIT", "a value of type int, not a function", "name a function"),
        (
            "oracle_none:answer",
            "'oracle_none' cannot be imported: ModuleNotFoundError",
            "beside the flow file",
        ),
        ("oracle_broken:answer", "ZeroDivisionError: division by zero", "beside the flow file"),
        ("oracle_quits:answer", "SystemExit", "beside the flow file"),
        ("oracle_a", "expected module:function, found 'oracle_a'", "for example"),
        ("./oracle_a.py:answer", "expected module:function", "for example"),
    ],
)
def test_programs(load: Load, tmp_path: Path, program: str, message: str, cure: str) -> None:
    """A program is imported from the current directory; whatever it raises becomes one problem."""
    (tmp_path / "oracle_a.py").write_text("LIMIT = 1\ndef answer(messages): return ''\n")
    (tmp_path / "oracle_broken.py").write_text("1 / 0\n")
    (tmp_path / "oracle_quits.py").write_text("raise SystemExit(1)\n")
    problems = check_role(load, f"{{program: '{program}'}}")
    if not message:
        assert problems == []
        return
    (problem,) = problems
    assert (problem.where, problem.key) == ("flow.yaml:3:16", "models.t.program")
    assert message in problem.message
    assert cure in problem.cure


def test_a_variable_that_is_not_set(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing key is found before the run, but only for roles that take part in it."""
    role = "{model: m, base_url: http://h/v1, api_key: env:SYNTH_TEST_KEY}"
    monkeypatch.delenv("SYNTH_TEST_KEY", raising=False)
    (problem,) = check_role(load, role)
    assert (problem.where, problem.key) == ("flow.yaml:3:49", "models.t.api_key")
    assert problem.message == "the variable SYNTH_TEST_KEY is not set"
    assert problem.cure == "set it before the run: export SYNTH_TEST_KEY=..."
    assert check_role(load, role, roles=["student"]) == []
    monkeypatch.setenv("SYNTH_TEST_KEY", "x")
    assert check_role(load, role) == []


def test_models_that_are_folders(load: Load, tmp_path: Path) -> None:
    """What looks like a path must exist; other names are left to whoever resolves models."""
    (tmp_path / "weights").mkdir()
    assert check_role(load, "{model: ./weights}") == []
    assert check_role(load, "{model: owner/name}") == []
    (problem,) = check_role(load, "{model: ./weight}")
    assert (problem.where, problem.key) == ("flow.yaml:3:14", "models.t.model")
    assert problem.message == "there is no folder ./weight"
    assert problem.cure == "did you mean 'weights'?"


def test_whether_a_model_can_be_had_is_asked(load: Load, tmp_path: Path) -> None:
    """Aliases and hub ids are judged by the function given; endpoints and scratch models are not asked."""
    (tmp_path / "weights").mkdir()
    asked: list[str] = []

    def resolvable(model: str) -> str | None:
        asked.append(model)
        return "no such alias" if model == "smolm" else None

    assert check_role(load, "{model: weights}", resolvable=resolvable) == []
    assert check_role(load, "{model: m, base_url: http://h/v1}", resolvable=resolvable) == []
    assert check_role(load, "{model: {scratch: tiny}}", resolvable=resolvable) == []
    (problem,) = check_role(load, "{model: smolm}", resolvable=resolvable)
    assert (problem.message, problem.where) == ("no such alias", "flow.yaml:3:14")
    assert asked == ["weights", "smolm"]


def test_all_references_are_checked_at_once(tmp_path: Path) -> None:
    """One call finds every missing thing of a flow file, each at its own line."""
    path = tmp_path / "f.yaml"
    path.write_text(
        "flow: stat\nmodels:\n  a: {model: ./no}\n  b: {program: 'no:no'}\ndata:\n  x: {source: no.csv}\n"
    )
    problems = check_files(load_flow(path), tmp_path)
    assert [problem.where.rpartition(os.sep)[2] for problem in problems] == [
        "f.yaml:3:14",
        "f.yaml:4:16",
        "f.yaml:6:15",
    ]
