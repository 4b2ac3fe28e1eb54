"""Replay: a whole run from another run's journal, with no model, no server and no network."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from synth.chat import CallFailed, Request
from synth.engine.folder import RunFolder
from synth.engine.replay import attach
from synth.errors import RunError
from synth.journal import Journal
from synth.records import Sampling
from synth.rounds import lesson, prepare
from synth.runs.audit import audit
from synth.runs.recording import Recording
from synth.teachers.model import Model
from synth.teachers.program import ProgramEndpoint
from synth.teachers.replay import RecordedModel
from tests.support.recorded import synth, with_stand_ins

DATA = ("data/samples.jsonl", "data/train.jsonl", "eval/before.jsonl", "eval/after.jsonl", "gate.json")


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever connects, starts a process or looks for weights fails the test."""

    def refuse(*arguments: object, **named: object) -> None:
        raise AssertionError("a replay reached out")

    for target, name in (
        (socket.socket, "connect"),
        (asyncio, "create_subprocess_exec"),
        (prepare, "prepare_folders"),
        (lesson, "train"),
    ):
        monkeypatch.setattr(target, name, refuse)


@pytest.fixture
def replay(recorded: Path, tmp_path: Path) -> Callable[..., int]:
    """`synth run` on the recorded run's flow file with `--replay`."""

    def call(*more: str | Path, of: Path = recorded) -> int:
        flow = recorded.parent / "flow.yaml"
        return synth("run", flow, "--runs", tmp_path, "--replay", of, "--quiet", *more)

    return call


@pytest.mark.usefixtures("offline")
def test_a_whole_run_is_replayed_offline(recorded: Path, replay: Callable[..., int], tmp_path: Path) -> None:
    """The same data, exams and decision come out, nothing is paid, and the recording is as it was."""
    before = {path: path.read_bytes() for path in recorded.rglob("*") if path.is_file()}
    assert replay() == 0
    again = tmp_path / "flow-replay"
    for name in DATA:
        assert (again / "rounds/1" / name).read_bytes() == (recorded / "rounds/1" / name).read_bytes()
    paid, free = audit(recorded), audit(again)
    assert paid.sent == paid.paid > 0
    assert (free.sent, free.paid, free.replayed) == (0, 0, paid.sent + paid.replayed)
    assert (again / "report.html").is_file()
    assert (again / "rounds/1/student/model.safetensors").is_file()
    result = json.loads((again / "rounds/1/train/result.json").read_text())
    assert result["weights"] == json.loads((recorded / "rounds/1/train/result.json").read_text())["weights"]
    after = {path: path.read_bytes() for path in before if not path.name.endswith("-shm")}
    assert all(before[path] == content for path, content in after.items())


@pytest.mark.usefixtures("offline")
def test_a_replay_of_a_replay_reaches_the_first_recording(replay: Callable[..., int], tmp_path: Path) -> None:
    """What a replay did not pay it does not hold; the run it replayed does."""
    assert replay("--name", "one") == 0
    assert replay("--name", "two", of=tmp_path / "one") == 0
    assert audit(tmp_path / "two").paid == 0


@pytest.mark.usefixtures("offline")
def test_a_call_that_was_never_made_stops_the_replay(
    recorded: Path, replay: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """The error names stage, agent and what differs, and how to go on."""
    assert replay("--name", "hot", "--set", "with.temperature=0.3") == 5
    said = capsys.readouterr().err
    assert "stage 1/profile: the agent 'label' asks synth.teachers.oracle:task_teacher" in said
    assert f"what was never asked in {recorded}" in said
    assert "sampling.temperature: 0.7 then, 0.3 now" in said
    assert "--name hot and without --replay" in said

    assert replay("--name", "short", "--set", "evaluate.system=Be short.") == 5
    said = capsys.readouterr().err
    assert "stage 1/exam-before: the agent 'answer'" in said
    assert "its prompt reads 'system: Be short.\\nuser:" in said


def test_a_stopped_replay_goes_on_with_models_and_pays_for_the_rest(
    server: int, recorded: Path, replay: Callable[..., int], tmp_path: Path
) -> None:
    """Fewer references change the later stage alone; the earlier ones are not paid again."""
    change = ("--name", "two", "--set", "with.references=2")
    assert replay(*change) == 5
    with with_stand_ins(server, tmp_path / "weights") as trained:
        flow = recorded.parent / "flow.yaml"
        assert synth("run", flow, "--runs", tmp_path, "--quiet", *change) == 0
    assert len(trained) == 1, "other data, so another training"
    receipt = audit(tmp_path / "two")
    stages = {row[0] for row in _rows(tmp_path / "two", "SELECT DISTINCT stage FROM calls")}
    assert stages == {"1/make", "1/exam-after"}
    assert receipt.replayed >= 20 + 6
    assert receipt.repeated == receipt.lost == receipt.duplicated == 0


@pytest.mark.usefixtures("offline")
def test_other_data_or_settings_stop_before_training(
    replay: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """New weights cannot be had without a model: the data are written and the reason is said."""
    assert replay("--name", "less", "--set", "budget.train_tokens=60") == 5
    assert "the training data are not those of" in capsys.readouterr().err
    assert (tmp_path / "less/rounds/1/data/train.jsonl").is_file()
    assert replay("--name", "long", "--set", "train.epochs=2") == 5
    assert "train.epochs: 1.0 then, 2.0 now" in capsys.readouterr().err


def test_the_recorded_student_serves_where_the_training_is_the_same(
    server: int, recorded: Path, replay: Callable[..., int], tmp_path: Path
) -> None:
    """Stopped at the exam after, the run goes on with models and does not train again."""
    partial = tmp_path / "partial"
    shutil.copytree(recorded, partial)
    with _writing(partial) as journal:
        journal._enqueue("DELETE FROM calls WHERE stage = '1/exam-after'", ())
    assert replay("--name", "on", of=partial) == 5
    with with_stand_ins(server, tmp_path / "weights") as trained:
        flow = recorded.parent / "flow.yaml"
        assert synth("run", flow, "--runs", tmp_path, "--quiet", "--name", "on") == 0
    assert trained == []
    assert audit(tmp_path / "on").paid == 20


@pytest.mark.usefixtures("offline")
def test_mistakes_are_said(
    recorded: Path, replay: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another model, a folder that is no run, and a run that replays itself."""
    assert replay("--name", "other", "--set", "models.student.model=smollm2-360m") == 5
    assert "was made with smollm2-135m" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert replay("--name", "of-empty", of=tmp_path / "empty") == 5
    assert "holds no journal.db" in capsys.readouterr().err
    assert replay("--runs", recorded.parent, "--name", recorded.name) == 5
    assert "cannot replay itself" in capsys.readouterr().err


async def test_a_failed_call_fails_again_in_the_same_way(tmp_path: Path) -> None:
    """A record that was rejected for want of an answer is rejected in the replay too."""

    def broken(messages: object) -> str:
        raise ValueError("no idea")

    request = Request([{"role": "user", "content": "2 + 2"}], Sampling(), stage="1/make", agent="solve")
    (tmp_path / "old").mkdir()
    journal = Journal(tmp_path / "old/journal.db")
    with pytest.raises(CallFailed) as first:
        await Model("teacher", "m", "w", "m", ProgramEndpoint(broken), journal).ask(request)
    journal.close()
    receipt = audit(tmp_path / "old")
    assert (receipt.sent, receipt.paid, receipt.failed, receipt.unanswered) == (1, 0, 1, 0)

    folder = RunFolder(tmp_path / "new")
    folder.open()
    journal = Journal(folder.journal)
    recording = attach(journal, folder, tmp_path / "old")
    assert recording is not None
    model = RecordedModel("teacher", "m", "w", journal, recording)
    with pytest.raises(CallFailed) as second:
        await model.ask(request)
    assert vars(first.value) == vars(second.value)
    with pytest.raises(RunError, match="no call of this agent is recorded"):
        await model.ask(Request([{"role": "user", "content": "3 + 3"}], Sampling(), agent="other"))
    recording.close()
    journal.close()
    folder.close()
    assert audit(folder.path).sent == 0


def test_a_recording_that_is_gone_is_named(tmp_path: Path) -> None:
    """A run that was begun as a replay says what it misses when the other folder is gone."""
    with pytest.raises(RunError, match="holds no journal"):
        Recording(tmp_path / "gone", "mine")


def _rows(folder: Path, query: str) -> list[tuple[object, ...]]:
    journal = Journal(folder / "journal.db")
    rows = journal._reader.execute(query).fetchall()
    journal.close()
    return rows


@contextmanager
def _writing(folder: Path) -> Iterator[Journal]:
    journal = Journal(folder / "journal.db")
    yield journal
    journal.close()
