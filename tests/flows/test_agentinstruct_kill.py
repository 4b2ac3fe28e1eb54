"""AgentInstruct killed with SIGKILL in the middle of its generation, in processes of its own."""

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
from tests.support.gather import gathered

ROOT = Path(__file__).parents[2]
PARAMS = json.dumps({"least": 20, "near_duplicates": None, "skills_per_seed": None})
PLACES = ("canal", "lake", "marsh")


async def test_a_killed_generation_goes_on_to_the_same_samples(tmp_path: Path) -> None:
    """Killed at two places of chance, it ends with the samples of an undisturbed run: whole records,
    lineage included, in the same order."""
    documents = tmp_path / "documents"
    documents.mkdir()
    for place in PLACES:
        (documents / f"{place}.md").write_text(TEXT.replace("water", f"{place} water"))
    (documents / "double.py").write_text(CODE)
    undisturbed = await gathered(tmp_path / "calm", str(documents), PARAMS)
    seeds, run = _done(tmp_path / "calm"), tmp_path / "killed"
    for place in sorted(random.Random(3).sample(range(1, seeds - 15), 2)):
        assert _killed(run, documents, place) < 0
        assert _done(run) < seeds
    assert await gathered(run, str(documents), PARAMS) == undisturbed
    assert len(undisturbed) > 50
    assert len({sample.family for sample in undisturbed}) > 10
    assert audit(run).sound


def _killed(run: Path, documents: Path, place: int) -> int:
    """The exit code of a process that was killed when `place` seeds were done."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.gather", str(run), str(documents), PARAMS],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()  # "started": imports are behind it
        while process.poll() is None and _done(run) < place:
            time.sleep(0.002)
        process.kill()
    return process.returncode


def _done(run: Path) -> int:
    """Seeds with a result in the journal."""
    if not (run / "journal.db").is_file():
        return 0
    with sqlite3.connect(f"file:{run / 'journal.db'}?mode=ro", uri=True) as journal:
        if not journal.execute("SELECT 1 FROM sqlite_master WHERE name = 'results'").fetchone():
            return 0
        return int(journal.execute("SELECT COUNT(*) FROM results").fetchone()[0])
