"""A run as a `datasets.Dataset`."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from synth.export.formats import Format, once, row, schema
from synth.export.read import read_samples, rounds_with_data

__all__ = ["dataset"]


def dataset(
    run: str | PathLike[str], round: int | None = None, form: Format = "parquet", learner: str = "student"
) -> Any:
    """The training data of a run's folder as a `datasets.Dataset`, ready for TRL.

    All rounds unless one is named; `form` is any of the formats of `synth export`. Raises
    `RunError` for a folder without data.
    """
    import datasets

    folder = Path(run)
    samples = once(read_samples(folder, rounds_with_data(folder, round), learner), form)
    rows = [row(sample, form) for sample in samples]
    if form not in ("parquet", "jsonl"):
        return datasets.Dataset.from_list(rows)
    import pyarrow as pa

    pairs = bool(rows) and "chosen" in rows[0]
    return datasets.Dataset(pa.Table.from_pylist(rows, schema=schema(pairs)))
