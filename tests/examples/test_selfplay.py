"""The self-play example: fit to run in both sizes, killed at its moments, and told as it was."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from synth.data import overlap, read_questions
from synth.flowfiles import load
from synth.measure.guards import check_sizes
from synth.runs.audit import Audit
from synth.runs.summary import summarize
from tests.core.fake_run import build

SOURCE = Path(__file__).parents[2] / "examples" / "selfplay" / "killed.py"


@pytest.fixture(scope="module")
def killed() -> ModuleType:
    """The example's module, loaded from its file."""
    spec = importlib.util.spec_from_file_location("selfplay", SOURCE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("profile", [None, "smollm2"])
def test_three_rounds_are_fit_to_run(killed: ModuleType, profile: str | None) -> None:
    """Its families have the items, and its guard as many as its margin needs at a third of alpha."""
    flow = load(killed.FLOW, (), profile).flow
    assert flow.rounds == 3 and flow.gate.spend == "bonferroni" and flow.gate.noise
    test = list(read_questions(flow.data["test"], base=SOURCE.parent))
    guard = list(read_questions(flow.data["guard"], base=SOURCE.parent, exclude=[q.question for q in test]))
    check_sizes(flow, {"guard": len(guard)})
    assert overlap(test, guard) == []


def test_a_process_is_killed_at_its_moment(killed: ModuleType, tmp_path: Path) -> None:
    """SIGKILL, as nothing can catch; one that ended before is not killed, and its status is told."""
    begun = tmp_path / "begun"
    endless = f"import os, time; open({str(begun)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    command = [sys.executable, "-c", endless]
    assert killed.until(command, lambda _: begun.exists() and begun.read_text() != "", tmp_path, 0.01) is None
    with pytest.raises(ProcessLookupError):
        os.kill(int(begun.read_text()), 0)
    assert killed.until([sys.executable, "-c", "exit(4)"], lambda _: False, tmp_path, 0.01) == 4


def test_its_moments_are_seen_in_the_runs_files(killed: ModuleType, tmp_path: Path) -> None:
    """Data under way in round 1, some steps of the training in round 2."""
    assert not killed.making(tmp_path) and not killed.training(tmp_path)
    log = tmp_path / "rounds" / "2" / "train" / "log.jsonl"
    log.parent.mkdir(parents=True)
    log.write_text("{}\n" * 9)
    assert not killed.training(tmp_path)
    log.write_text("{}\n" * 10)
    assert killed.training(tmp_path)


def test_it_tells_the_decisions_and_the_receipt(killed: ModuleType, tmp_path: Path) -> None:
    """A line a round with the gate's sentence, and what the kills cost."""
    names = [name for name in Audit.model_fields if name not in ("lost", "duplicated")]
    counts = Audit(**dict.fromkeys(names, 7), lost=0, duplicated=0)
    *rounds, receipt = killed.told(summarize(build(tmp_path / "run")), counts)
    assert [line.split(":")[0] for line in rounds] == ["round 1", "round 2"]
    assert "items right" in rounds[0]
    assert receipt.startswith("7 starts; 7 calls sent") and receipt.endswith("lost 0, duplicated 0")
