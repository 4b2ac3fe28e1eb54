"""`synth eval`: one model, a flow file's items and verifier, a level with its interval, and no call twice."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import orjson
import pytest

from synth.engine.folder import RunFolder
from synth.errors import ModelError, RunError
from synth.journal import Journal
from synth.measure.examinee import examinee
from synth.records import Judged
from synth.runs.runfiles import read_lines
from tests.support.command import Run
from tests.support.recorded import FLOW


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    path = tmp_path / "flow.yaml"
    path.write_text(FLOW)
    return path


def test_an_endpoint_is_examined_and_not_asked_twice(
    run: Run, server: int, flow: Path, tmp_path: Path
) -> None:
    """The scripted student adds whatever it sees, and so gets 14 of 20 right; a second time asks nobody."""
    command = ("eval", f"http://127.0.0.1:{server}/v1", "--served", "student-1", "--flow", flow)
    command += ("--to", tmp_path / "exam", "--quiet")  # type: ignore[assignment]
    code, out, _ = run(*command)
    assert code == 0
    assert "70.0\N{NO-BREAK SPACE}% of 20 items (48.1" in out
    judged = list(read_lines(tmp_path / "exam" / "eval.jsonl", Judged, []))
    assert (len(judged), sum(record.correct for record in judged)) == (20, 14)
    answers = Journal(tmp_path / "exam" / "journal.db")
    before = answers.tokens()
    code, out, _ = run(*command, "--json")
    exam = json.loads(out)
    assert (exam["n"], exam["value"], exam["metric"], exam["source"]) == (20, 0.7, "accuracy", "test")
    assert exam["families"] == [{"family": "addition", "n": 20, "value": 0.7}]
    assert answers.tokens() == before
    answers.close()


def test_a_program_is_examined_on_another_source(
    run: Run, flow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default the answers go below `evals/`, in a folder that bears the exam's names."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "answers.py").write_text("def four(messages):\n    return '4'\n")
    code, out, _ = run("eval", "answers:four", "--flow", flow, "--test", "data.profile", "--quiet")
    assert code == 0
    assert "of 6 items" in out
    assert (tmp_path / "evals" / "answers-four-flow-profile" / "eval.jsonl").is_file()


def test_another_exam_does_not_go_on_in_the_same_folder(run: Run, flow: Path, tmp_path: Path) -> None:
    """Answers under other settings are not mixed."""
    command = ("eval", "synth.teachers.oracle:task_teacher", "--flow", flow, "--to", tmp_path / "exam")
    run(*command, "--quiet")
    code, _, err = run(*command, "--quiet", "--set", "evaluate.max_tokens=8")
    assert (code, "--to" in err, "max_tokens: 64 then, 8 now" in err) == (5, True, True)


def test_mistakes_are_one_clear_error(run: Run, flow: Path, server: int) -> None:
    url = f"http://127.0.0.1:{server}/v1"
    code, _, err = run("eval", url, "--flow", flow)
    assert (code, "base, student-1" in err, "--served" in err) == (2, True, True)
    code, _, err = run("eval", "smolm2-135m", "--flow", flow)
    assert (code, "smollm2-135m" in err) == (2, True)
    code, _, err = run("eval", url, "--served", "base", "--flow", flow, "--test", "data.tset")
    assert (code, "data.test, data.profile, data.pool" in err) == (2, True)
    code, _, err = run("eval", url, "--served", "base", "--api-key", "sk-123", "--flow", flow)
    assert (code, "env:NAME" in err) == (2, True)


def test_a_runs_student_is_its_weights_or_base_and_adapter(recorded: Path, tmp_path: Path) -> None:
    """Whole weights are a model of their own; an adapter goes onto the run's student with its rank."""
    whole = asyncio.run(examinee(str(recorded), None, None, None))
    assert (whole.spec.model, whole.adapter) == (str((recorded / "rounds/1/student").resolve()), None)
    folder = tmp_path / "run"
    RunFolder.write(folder / "flow.yaml", (recorded / "flow.yaml").read_bytes())
    for number, weights in ((1, "one"), (2, "two")):
        place = folder / "rounds" / str(number)
        RunFolder.write(place / "student" / "adapter_config.json", b"{}")
        RunFolder.write(place / "train" / "result.json", orjson.dumps({"weights": weights}))
    last = asyncio.run(examinee(str(folder), None, None, None))
    assert (last.spec.model, last.version, last.title) == ("smollm2-135m", "two", "run, round 2")
    assert last.lora is not None
    first = asyncio.run(examinee(str(folder), 1, None, None))
    assert first.adapter == (folder / "rounds/1/student").resolve()
    with pytest.raises(RunError, match="no student of round 3"):
        asyncio.run(examinee(str(folder), 3, None, None))
    with pytest.raises(ModelError, match="no model called"):
        asyncio.run(examinee("nobody", None, None, None))


def test_several_answers_show_what_a_model_can_come_to(
    run: Run, flow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The coverage of DRIFT's claim. This one adds up every second time, is right then on 14 items of 20, and
    always in the same words: one different right answer to each of these. More samples are added to
    those there are."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "undecided.py").write_text(
        "import re\n"
        "def half(messages, sample):\n"
        "    numbers = re.findall(r'-?[0-9]+', messages[-1]['content'])\n"
        "    return str(sum(map(int, numbers))) if sample % 2 else 'no idea'\n"
    )
    command = ("eval", "undecided:half", "--flow", flow, "--to", tmp_path / "exam", "--json")
    for samples in (2, 4):
        code, out, err = run(*command, "--samples", str(samples))
        assert code == 0, err
        exam = json.loads(out)
        assert (exam["n"], exam["value"], exam["accuracy"]) == (20, 0.35, 0.35)
        assert exam["interval"]["low"] < 0.3 and exam["interval"]["high"] > 0.4
        assert exam["families"] == [{"family": "addition", "n": 20, "value": 0.35}]
        found = {"samples": samples, "temperature": 1.0, "ever": 0.7, "distinct": 0.7}
        assert exam["exploration"] == found
    code, _, err = run(*command, "--samples", "2", "--temperature", "0")
    assert (code, "--temperature" in err) == (2, True)
