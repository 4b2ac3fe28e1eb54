"""A small finished run, and its index brought up to date."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from synth.records import Rejection, Sample
from synth.view import Index
from tests.core.fake_run import build

__all__ = ["finished", "result", "settle"]

Result = Callable[..., None]


def settle(index: Index) -> Index:
    """Read all there is."""
    while index.refresh():
        pass
    return index


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rounds of 300 samples and 251 rejections each."""
    return build(tmp_path_factory.mktemp("viewed") / "run")


def result(run: Path, seed: str, answers: tuple[str, ...] = (), refused: tuple[str, ...] = ()) -> None:
    """Store a seed's result in the journal, as the stage `generate` of round 1 does."""
    samples = [
        Sample.sft(
            [{"role": "user", "content": f"question of {seed}"}], text, seed_id=seed, flow="stat",
            arm="fixed", round=1, skills=("sums",),
        )
        for text in answers
    ]  # fmt: skip
    rejections = [
        Rejection(seed_id=seed, round=1, stage="1/generate", node="solve", reason="unparsed", raw=text)
        for text in refused
    ]
    payload = {
        "seed": seed,
        "samples": [sample.model_dump(mode="json") for sample in samples],
        "rejections": [rejection.model_dump(mode="json") for rejection in rejections],
        "output": {},
    }
    with sqlite3.connect(run / "journal.db") as journal:
        row = ("1/generate", seed, 0, len(samples), len(rejections), orjson.dumps(payload))
        journal.execute("INSERT INTO results VALUES(?,?,?,?,?,?)", row)
    journal.close()
