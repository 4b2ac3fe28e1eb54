"""The command line: exit codes, one clear message a mistake, never a traceback, no heavy import."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from synth.cli.main import COMMANDS
from synth.engine.folder import RunFolder
from tests.support.command import Run

ROOT = Path(__file__).parents[2]

FLOW = """
flow: stat
models:
  student: {model: smollm2-135m}
  teacher: {program: "synth.teachers.oracle:task_teacher"}
data:
  test: {source: tasks, families: [addition], size: 4, seed: 1}
  profile: {source: tasks, families: [addition], size: 4, seed: 2}
  pool: {source: tasks, families: [addition], size: 4, seed: 3}
"""


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    path = tmp_path / "flow.yaml"
    path.write_text(FLOW)
    return path


def test_help_imports_nothing_heavy() -> None:
    """`synth --help` stays fast because it loads next to nothing."""
    code = (
        "import sys; from synth.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = ('torch', 'langgraph', 'pydantic', 'datasets', 'aiohttp', 'numpy')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_command_has_help_with_an_example(run: Run) -> None:
    """A person finds out how to use a command from the command alone."""
    for name in COMMANDS:
        code, out, _ = run(name, "--help")
        assert code == 0
        assert "Usage:" in out
        assert f"  synth {name}" in out


def test_an_unknown_command_names_the_nearest(run: Run) -> None:
    code, _, err = run("rnu", "flow.yaml")
    assert code == 2
    assert "Did you mean 'run'?" in err


def test_check_accepts_what_ships(run: Run) -> None:
    """The flow files of the repository are fit to run."""
    for path in sorted((ROOT / "flows").glob("*.yaml")):
        code, out, err = run("check", str(path))
        assert (code, err) == (0, "")
        assert "ready to run" in out


def test_check_shows_all_problems_with_places_and_exits_2(run: Run, flow: Path) -> None:
    """Two mistakes, two places, one start."""
    flow.write_text(FLOW + "train: {epochz: 2}\ngate: {alpha: 7}\n")
    code, _, err = run("check", str(flow))
    assert code == 2
    assert f"{flow}:10:9: train.epochz" in err
    assert "epochs" in err
    assert f"{flow}:11:15: gate.alpha" in err


def test_an_unknown_model_names_the_nearest(run: Run, flow: Path) -> None:
    flow.write_text(FLOW.replace("smollm2-135m", "smolm2-135m"))
    code, _, err = run("check", str(flow))
    assert code == 2
    assert "smollm2-135m" in err
    assert "models.student.model" in err


def test_a_missing_data_file_is_found_before_anything_starts(run: Run, flow: Path, tmp_path: Path) -> None:
    flow.write_text(FLOW.replace("pool: {source: tasks, families: [addition]", "pool: {source: none.jsonl"))
    code, _, err = run("run", str(flow), "--runs", str(tmp_path / "runs"))
    assert code == 2
    assert "there is no file or folder none.jsonl" in err
    assert not (tmp_path / "runs").exists()


def test_a_faulty_row_is_named_by_file_and_line(run: Run, flow: Path, tmp_path: Path) -> None:
    """A row without the field stops the run before any model is started."""
    rows = '{"question": "1 + 1 = ?", "answer": "2"}\n{"question": "2 + 1 = ?"}\n'
    (tmp_path / "pool.jsonl").write_text(rows)
    flow.write_text(FLOW.replace("pool: {source: tasks, families: [addition]", "pool: {source: pool.jsonl"))
    code, _, err = run("run", str(flow), "--runs", str(tmp_path / "runs"))
    assert code == 2
    assert "pool.jsonl:2" in err
    assert "answer" in err


def test_a_run_held_by_another_process_says_by_whom(run: Run, flow: Path, tmp_path: Path) -> None:
    holder = RunFolder(tmp_path / "runs" / "flow")
    holder.open()
    code, _, err = run("run", str(flow), "--runs", str(tmp_path / "runs"))
    holder.close()
    assert code == 5
    assert "is being worked on by process" in err


def test_a_runs_folder_that_cannot_be_made_is_said(run: Run, flow: Path, tmp_path: Path) -> None:
    """A file stands where the folder should be: as good as no permission, and true for root too."""
    (tmp_path / "runs").write_text("")
    code, _, err = run("run", str(flow), "--runs", str(tmp_path / "runs"))
    assert code == 5
    assert "cannot be used" in err


def test_other_settings_in_the_same_run_are_refused(tmp_path: Path) -> None:
    """A run goes on only with what it was begun with; what differs is named with both values."""
    from synth.errors import RunError

    folder = RunFolder(tmp_path / "run")
    folder.open()
    folder.settle({"flow": "stat", "train": {"epochs": 1}, "budget": {"tokens": 5}})
    folder.settle({"flow": "stat", "train": {"epochs": 1}, "budget": {"tokens": 9}})
    with pytest.raises(RunError, match=r"train\.epochs: 1 then, 2 now"):
        folder.settle({"flow": "stat", "train": {"epochs": 2}, "budget": {"tokens": 9}})
    folder.close()


def test_status_of_what_is_no_run(run: Run, tmp_path: Path) -> None:
    for command in ("status", "audit", "report"):
        code, _, err = run(command, str(tmp_path))
        assert code == 5
        assert "runs/NAME" in err


def test_the_schema_is_json_and_knows_the_flows(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("schema")
    assert code == 0
    assert "control-uniform" in json.dumps(json.loads(out))
    code, out, _ = run("schema", str(tmp_path / "flow.schema.json"))
    assert json.loads((tmp_path / "flow.schema.json").read_text())


def test_models_are_listed_as_json(run: Run) -> None:
    code, out, _ = run("models", "--json")
    assert code == 0
    assert "smollm2-135m" in {model["name"] for model in json.loads(out)}
