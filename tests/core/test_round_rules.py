"""Whole rounds under the gate's further rules: guards, noise, half the rate, collapse."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from synth.cli.main import main
from synth.engine.folder import RunFolder
from synth.errors import CollapseError, DataError
from synth.measure.gate import Decision
from synth.progress import make_progress
from synth.records import Sample
from synth.rounds import material
from synth.rounds.loop import run
from tests.support.nights import load, place, stand_ins


def rounds(folder: Path, script: list[str], *settings: str) -> list[Decision]:
    """A run in `run`, its trainings by the script."""
    if not (folder / "plain.yaml").exists():
        place(folder, script)
    loaded = load(folder / "plain.yaml", settings, None)
    with stand_ins(folder):
        return asyncio.run(run(loaded, RunFolder(folder / "run"), make_progress(quiet=True)))


def read(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "run" / "rounds" / name).read_bytes())
    return found


def test_a_refused_round_halves_the_rate_and_all_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A guard refuses round 1; round 2 trains at half the rate, as its plan and job say, and again so
    when the run is asked for anew. Guards, noise and variety are in gate.json, report and status."""
    settings = ("rounds=2", "gate.on_reject=halve_lr", "gate.noise=true", "gate.spend=bonferroni",
                "train.learning_rate=0.004", "gate.guards.guard.margin=0.15")  # fmt: skip
    script = ["test=.4 guard=-.4", "test=.4"]
    decisions = rounds(tmp_path, script, *settings)
    assert [decision.decision for decision in decisions] == ["keep", "promote"]
    assert "on the guard guard (40 items)" in decisions[0].reason
    assert [read(tmp_path, f"{n}/plan.json")["pace"] for n in (1, 2)] == [1, 0.5]
    assert [read(tmp_path, f"{n}/train/job.json")["train"]["learning_rate"] for n in (1, 2)] == [0.004, 0.002]
    gate = read(tmp_path, "1/gate.json")
    assert (gate["alpha"], gate["looks"], gate["noise"]["turned"]) == (0.025, 2, 0)
    assert not gate["guards"][0]["holds"]
    assert read(tmp_path, "2/collapse.json")["repeated_exactly"] == 1
    assert rounds(tmp_path, [], *settings) == decisions
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Guard suites" in page and "does not hold" in page and "Variety of the data" in page
    main_ended(tmp_path / "run")
    said = capsys.readouterr().out
    assert "guard guard: does not hold" in said and "noise: 0.0" in said and "variety: distinct" in said


def test_collapsing_data_end_the_run_before_training(tmp_path: Path) -> None:
    """The second round's data are the first's again; nothing is trained on them, and why is said."""
    with pytest.raises(CollapseError, match="100% of the examples repeat an earlier round's") as caught:
        rounds(tmp_path, ["test=.4", "test=.4"], "rounds=2", "collapse.max_repeated=0.5")
    assert caught.value.exit_code == 7
    assert read(tmp_path, "2/collapse.json")["repeated"] == 1
    assert not (tmp_path / "run/rounds/2/train").exists()


def main_ended(folder: Path) -> None:
    main(["status", str(folder)])


@pytest.mark.parametrize("form", ["{question}", "Q: {question}\nA:"])
def test_rows_with_a_held_out_question_train_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """Even where curation let one through, bare or in the words the student is asked it with: the rows that
    training reads are looked at, every round, and how many there were is noted."""
    asked = f"evaluate.prompt={json.dumps(form)}"
    rounds(tmp_path, ["test=.4"])
    events = [json.loads(line) for line in (tmp_path / "run/events.jsonl").read_text().splitlines()]
    (apart,) = [one for one in events if one["event"] == "held-out-apart"]
    assert (apart["rows"], apart["questions"], apart["role"]) == (4, 80, "student")
    slip = Sample.sft(
        [{"role": "user", "content": form.replace("{question}", "Test  7")}],
        "right 7",
        seed_id="s",
        flow="f",
        arm="a",
        round=1,
    )
    monkeypatch.setattr(material, "sift", lambda curated, *_: curated.samples.append(slip))
    place(tmp_path / "again", ["test=.4"])
    with pytest.raises(DataError, match=r"holds a question of test, which nothing may be trained on"):
        rounds(tmp_path / "again", ["test=.4"], asked)
    assert not (tmp_path / "again/run/rounds/1/train").exists()
