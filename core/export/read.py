"""The samples of a run, to be passed on: of one round or of all, for one learner, each once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from synth.errors import DataError, RunError
from synth.records import Sample
from synth.runs.runfiles import read_lines

__all__ = ["read_samples", "rounds_with_data"]


def rounds_with_data(run: Path, wanted: int | None = None) -> list[int]:
    """Numbers of the rounds that have written their data. Raises `RunError` where there are none."""
    files = (run / "rounds").glob("*/data/samples.jsonl")
    numbers = sorted(int(path.parts[-3]) for path in files if path.parts[-3].isdecimal())
    if not numbers:
        raise RunError(
            f"the run {run} has no data yet",
            "name a folder that `synth run` made: runs/NAME; `synth status` says how far it is",
        )
    if wanted is not None and wanted not in numbers:
        raise RunError(
            f"round {wanted} of {run} has no data; there are those of {', '.join(map(str, numbers))}",
            "name one of these with --round, or leave it out for all",
        )
    return [wanted] if wanted is not None else numbers


def read_samples(run: Path, numbers: list[int], learner: str = "student") -> Iterator[Sample]:
    """The samples a role learns from, in the order of training; one made in two rounds comes once.

    Raises `RunError` for a damaged file, `DataError` where a learner has pairs and single answers.
    """
    seen: set[str] = set()
    pairs: bool | None = None
    for number in numbers:
        path, warnings = run / "rounds" / str(number) / "data" / "samples.jsonl", list[str]()
        for sample in read_lines(path, Sample, warnings):
            if sample.learner != learner or sample.id in seen:
                continue
            if pairs is not None and pairs is (sample.chosen is None):
                raise DataError(
                    f"the rounds of {run} mix pairs with single answers", "export one round with --round N"
                )
            pairs = sample.chosen is not None
            seen.add(sample.id)
            yield sample
        if warnings:
            raise RunError(f"reading the data of {run}: {warnings[0]}", "restore the file from a copy")
