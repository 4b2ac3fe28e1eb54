"""The sections example: its arms are valid, and its table is read from what a run leaves."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from synth.flowfiles import load

SOURCE = Path(__file__).parents[2] / "examples" / "delta_sections" / "arms.py"


@pytest.fixture(scope="module")
def arms() -> ModuleType:
    """The example's module, loaded from its file."""
    spec = importlib.util.spec_from_file_location("delta_sections", SOURCE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def leave_run(folder: Path, gained: int) -> None:
    """What a finished run holds of its exams: twelve items of four sections, then `gained` more each."""
    for name, sections in (("before", 4), ("after", 4 + gained)):
        records = [
            {"id": f"{item}", "score": float(sections), "response": "**Use**\nIt helps.\n" * sections}
            for item in range(12)
        ]
        path = folder / "rounds" / "1" / "eval" / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(map(json.dumps, records)))


@pytest.mark.parametrize("profile", [None, "tiny"])
def test_every_arm_is_fit_to_run_at_one_learning_rate(arms: ModuleType, profile: str | None) -> None:
    """The arms differ in their data and, for SFT, in the objective: in nothing else."""
    loaded = {arm: load(arms.FLOW, overrides, profile).flow for arm, overrides in arms.ARMS.items()}
    settings = {arm: flow.train.model_dump(exclude={"objective"}) for arm, flow in loaded.items()}
    assert len({json.dumps(one, sort_keys=True) for one in settings.values()}) == 1
    assert len({json.dumps(flow.warm_start.model_dump(mode="json")) for flow in loaded.values()}) == 1


def test_the_table_reads_runs_and_adjusts_p(arms: ModuleType, tmp_path: Path) -> None:
    """A run without its last exam has no line; Holm multiplies the smallest p by the number of arms."""
    leave_run(tmp_path / "up", 2)
    leave_run(tmp_path / "flat", 0)
    up, flat = arms.read("3>2", tmp_path / "up"), arms.read("3=3", tmp_path / "flat")
    assert arms.read("2>3", tmp_path / "none") is None
    assert (up.distinct, flat.p_value) == (1.0, 1.0)
    assert up.p_value < 0.01
    head, first, second = arms.table([up, flat]).splitlines()
    assert first.split()[:4] == ["3>2", "4.00", "6.00", "+2.00"]
    assert float(first.split()[7]) == pytest.approx(2 * up.p_value, rel=0.3)
    assert second.split()[3] == "+0.00"
    assert head.split()[0] == "arm"
