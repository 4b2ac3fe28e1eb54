"""A data set of copied and reversed words, the untrained tiny model, and jobs on them."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from synth.config.flowfile import Train
from synth.students.job import TrainJob

MakeJob = Callable[..., TrainJob]


def row(question: str, answer: str) -> dict[str, Any]:
    """One training example, with a column that training must pass over."""
    return {
        "prompt": [{"role": "user", "content": question}],
        "completion": [{"role": "assistant", "content": answer}],
        "family": "words",
    }


def words(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Examples that ask for a word or for its letters in reverse."""
    draw = random.Random(seed)
    examples = []
    for _ in range(count):
        word = "".join(draw.choices("abcdefgh", k=draw.randint(3, 5)))
        examples.append(
            row(f"copy {word}", word) if draw.random() < 0.5 else row(f"reverse {word}", word[::-1])
        )
    return examples


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 examples as parquet."""
    path = tmp_path_factory.mktemp("data") / "train.parquet"
    pq.write_table(pa.Table.from_pylist(words(120)), path)
    return path


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with its initial weights."""
    from synth.students.tiny import save_untrained

    return save_untrained(tmp_path_factory.mktemp("model") / "tiny", seed=0)


@pytest.fixture
def make_job(tmp_path: Path, data: Path) -> MakeJob:
    """A job in a folder of its own; keywords of `Train` or `TrainJob` change it."""

    def make(folder: str = "round", *, train: dict[str, Any] | None = None, **changes: Any) -> TrainJob:
        settings = Train(**{"batch_size": 4, "learning_rate": 2e-3, "threads": 1, **(train or {})})
        place = tmp_path / folder
        given = {
            "model": tmp_path / "model",
            "data": data,
            "output": place / "student",
            "work": place / "train",
        }
        return TrainJob(**{**given, "train": settings, **changes})

    return make
