"""After a crash only a whole checkpoint is gone on from."""

from __future__ import annotations

import json
from pathlib import Path

from synth.students.checkpoints import clear_others, last_complete


def checkpoint(folder: Path, step: int, state: str | None) -> Path:
    path = folder / f"checkpoint-{step}"
    path.mkdir(parents=True)
    (path / "model.safetensors").write_bytes(b"weights")
    if state is not None:
        (path / "trainer_state.json").write_text(state)
    return path


def test_incomplete_checkpoints_are_passed_over_and_removed(tmp_path: Path) -> None:
    """A crash while saving must not cost the checkpoint before it."""
    good = checkpoint(tmp_path, 90, json.dumps({"global_step": 90}))
    torn = checkpoint(tmp_path, 100, '{"global_step": 1')
    cut = checkpoint(tmp_path, 110, None)
    assert last_complete(tmp_path) == good
    assert not torn.exists()
    assert not cut.exists()


def test_no_checkpoint_is_none(tmp_path: Path) -> None:
    """A first start begins at step 0."""
    assert last_complete(tmp_path / "nothing") is None


def test_checkpoints_of_another_job_are_removed(tmp_path: Path) -> None:
    """Weights of other settings are never gone on from, and do not fill the disk."""
    mine = checkpoint(tmp_path / "mine", 1, "{}")
    checkpoint(tmp_path / "other", 1, "{}")
    clear_others(tmp_path / "mine")
    assert mine.exists()
    assert not (tmp_path / "other").exists()
