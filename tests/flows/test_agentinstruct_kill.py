"""AgentInstruct killed with SIGKILL in the middle of its generation, with real processes."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from synth.runs.audit import audit
from tests.flows.agentinstruct_session import CODE, TEXT

ROOT = Path(__file__).parents[2]
PARAMS = json.dumps({"least": 20, "near_duplicates": None, "skills_per_seed": None})
PLACES = ("canal", "stream", "lake", "sea", "marsh", "spring")


def gather(run: Path, documents: Path) -> subprocess.Popen[str]:
    """The generation, its samples on standard output."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.gather", str(run), str(documents), PARAMS],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def made(run: Path) -> int:
    """Seeds that are done, as the journal says."""
    with sqlite3.connect(f"file:{run / 'journal.db'}?mode=ro", uri=True) as journal:
        return int(journal.execute("SELECT COUNT(*) FROM results").fetchone()[0])


def test_a_killed_generation_goes_on_to_the_same_samples(tmp_path: Path) -> None:
    """Killed three times at places of chance, it ends with the samples of an undisturbed run, whole
    records in the same order, and hardly a call is made twice."""
    documents = tmp_path / "documents"
    documents.mkdir()
    for place in PLACES:
        (documents / f"{place}.md").write_text(TEXT.replace("water", f"{place} water"))
    (documents / "double.py").write_text(CODE)
    whole, _ = gather(tmp_path / "calm", documents).communicate()
    seeds = made(tmp_path / "calm")
    rng = random.Random(3)
    run, kills = tmp_path / "killed", 0
    for place in sorted(rng.sample(range(1, seeds - 10), 3)):
        process = gather(run, documents)
        assert process.stdout is not None
        process.stdout.readline()  # "started": imports are behind it
        while process.poll() is None and made(run) < place:
            time.sleep(0.002)
        process.kill()
        kills += process.wait() < 0
    last, _ = gather(run, documents).communicate()
    assert kills == 3
    assert last == whole
    assert len(whole.splitlines()) > 50
    receipt = audit(run)
    assert receipt.repeated <= 3 * 256
    assert receipt.duplicate_samples == 0 if hasattr(receipt, "duplicate_samples") else True
