"""A run goes on under a newer version: settings that came since stand at their defaults."""

from __future__ import annotations

from pathlib import Path

import pytest

from synth.config import load_flow
from synth.engine.folder import RunFolder
from synth.errors import RunError

FLOW = """
flow: stat
models: {student: {model: smollm2-135m}}
gate: {alpha: 0.01}
"""


def test_settings_that_came_since_do_not_stop_a_run(tmp_path: Path) -> None:
    """What an older version did not know is no difference; what it wrote still is."""
    path = tmp_path / "flow.yaml"
    path.write_text(FLOW)
    loaded = load_flow(path)
    old = loaded.resolved()
    del old["gate"]["promote"], old["learners"]
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    folder.settle(old)
    folder.settle(loaded.resolved(), loaded.completed)
    old["gate"]["alpha"] = 0.05
    folder.flow.unlink()
    folder.settle(old)
    with pytest.raises(RunError, match=r"gate.alpha: 0.05 then, 0.01 now"):
        folder.settle(loaded.resolved(), loaded.completed)
