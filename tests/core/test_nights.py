"""Ten nights in a row, unattended, with faults thrown in: the champion never gets worse."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from synth.nightly.champion import current, weights_of
from synth.nightly.state import nights
from tests.support.nights import night, place, skill

ROOT = Path(__file__).parents[2]
# What the training of each night makes of its student, and what the night must come to.
NIGHTS = (
    ("test=.3", 0, "a clear gain"),
    ("test=.0", 3, "nothing learned"),
    ("test=.3 guard=-.3", 3, "a gain that costs the guard suite"),
    ("endpoint", 1, "the endpoint is down"),
    ("test=-.2", 3, "a worse student"),
    ("kill", -signal.SIGKILL, "killed in the middle"),
    ("disk", 1, "the disk is full"),
    ("test=.2 guard=.1", 0, "a gain in both"),
    ("test=.2 guard=-.1", 3, "a small fall on the guard suite"),
    ("test=.3", 0, "a gain again"),
)


def test_ten_nights_with_faults_never_make_the_champion_worse(tmp_path: Path) -> None:
    """Each night ends with its exit code, or goes on after the kill; on the guard suite the champion
    is never below where it was, and the lineage is that of the three promoted nights."""
    file = place(tmp_path, [line for line, _, _ in NIGHTS])
    home = tmp_path / "nights"
    guard, names = skill(tmp_path / "base")["guard"], []
    for line, code, what in NIGHTS:
        if line == "kill":
            command = [sys.executable, "-m", "tests.support.nights", str(file)]
            assert subprocess.run(command, cwd=ROOT, check=False).returncode == code, what
            assert nights(home)[-1].finished is None
        else:
            assert night(file).exit_code == code, (what, (home / "summary.md").read_text())
        champion = current(home)
        assert champion is not None
        now = skill(weights_of(home, champion.name))
        assert now["guard"] >= guard, what
        guard = now["guard"]
        names.append(champion.name)
    assert len(nights(home)) == 9, "the night after the kill is the same night"
    assert len(set(names)) == 3
    assert skill(weights_of(home, names[-1]))["test"] == pytest.approx(0.2 + 0.3 + 0.2 + 0.3)
    assert champion.parent == names[-2] and champion.name == names[-1]
    assert len(list((home / "champion").glob("[0-9]*"))) == 2, "keep: {champions: 2}"
    assert "# Night" in (home / "summary.md").read_text()
