"""An export: one data file, its card and the flow file, each replaced whole."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from synth.curation.licences import UNSTATED, conflicts, incompatible, terms_in
from synth.engine.folder import RunFolder
from synth.errors import DataError, RunError
from synth.export.card import write_card
from synth.export.formats import Format, dataset_info, once, row, schema
from synth.export.method import Method
from synth.export.read import read_samples, rounds_with_data
from synth.records import Sample

__all__ = ["Exported", "export"]

MARK = "export.json"
INFO = "dataset_info.json"
BATCH = 1000
"""Rows held at once."""


class Exported(BaseModel):
    """What an export holds; also its file `export.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str
    format: Format
    learner: str
    rounds: list[int]
    rows: int
    pairs: bool
    file: str
    """Name of the data file."""
    digest: str = ""
    """Of the data file (BLAKE2b): exports with the same rows have the same."""
    licences: dict[str, int] = Field(default_factory=dict)
    """Licence -> rows; `unstated` for those that name none."""
    terms: dict[str, int] = Field(default_factory=dict)
    """Terms on what models write -> rows such a model had a part in; `unstated` where none are known."""
    warnings: list[str] = Field(default_factory=list)


def export(
    run: Path,
    target: Path,
    form: Format = "parquet",
    round_number: int | None = None,
    learner: str = "student",
    method: Method | None = None,
    mixed: bool = False,
) -> Exported:
    """Write the data of `run` into the folder `target`; an earlier export there is replaced.

    `method` is told of on the card; `mixed` lets rows of licences and terms
    through that cannot all be met. Raises `RunError` where there are no such data
    or the folder holds something else, `DataError` where the format or the licences cannot hold them.
    """
    numbers = rounds_with_data(run, round_number)
    if not mixed:
        _refuse_conflicts(run, read_samples(run, numbers, learner))
    _own(target)
    first = next(read_samples(run, numbers, learner), None)
    if first is None:
        raise RunError(f"the run {run} has no data for the role {learner!r}", "name another --learner")
    tally = _Tally()
    pairs, name = first.chosen is not None, f"train.{'parquet' if form == 'parquet' else 'jsonl'}"
    samples = once(read_samples(run, numbers, learner), form)
    rows = (tally.told(row(sample, form)) for sample in tally.counting(samples))
    _write(target / name, rows, pairs)
    done = Exported(
        run=run.resolve().name,
        format=form,
        learner=learner,
        rounds=numbers,
        rows=tally.rows,
        pairs=pairs,
        file=name,
        digest=_digest(target / name),
        licences=dict(tally.licences.most_common()),
        terms=dict(tally.terms.most_common()),
        warnings=[*tally.warnings(), *conflicts(tally.licences, tally.terms)],
    )
    if info := dataset_info(form, done.run, name, pairs):
        RunFolder.write_json(target / INFO, info)
    _tidy(target, {name, *([INFO] if info else [])})
    flow = run / "flow.yaml"
    if flow.is_file():
        RunFolder.write(target / "flow.yaml", flow.read_bytes())
    write_card(run, target, done.model_dump(), tally.families, tally.models, method or Method())
    RunFolder.write_json(target / MARK, done)
    return done


class _Tally:
    """What is counted of samples as they pass."""

    def __init__(self) -> None:
        self.rows = 0
        self.untold = 0
        self.families: Counter[str] = Counter()
        self.licences: Counter[str] = Counter()
        self.terms: Counter[str] = Counter()
        self.models: dict[str, set[str]] = {}

    def counting(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        for sample in samples:
            self.rows += 1
            self.families[sample.family or "all"] += 1
            self.licences[sample.licence or UNSTATED] += 1
            self.terms.update(terms_in(sample))
            for call in sample.lineage.calls:
                self.models.setdefault(call.agent, set()).add(f"{call.model}@{call.weights}")
            yield sample

    def told(self, made: dict[str, Any]) -> dict[str, Any]:
        """The row, once it is seen whether it says what is right."""
        self.untold += made.get("ground_truth") == ""
        return made

    def warnings(self) -> list[str]:
        return [f"{self.untold} of {self.rows} prompts have no answer that is known"] if self.untold else []


def _refuse_conflicts(run: Path, samples: Iterable[Sample]) -> None:
    names = (name for sample in samples for name in (sample.licence or UNSTATED, *terms_in(sample)))
    found = incompatible(dict.fromkeys(names))
    if found:
        raise DataError(
            f"the data of {run} mix licences whose terms cannot all be met: {'; '.join(found)}",
            "leave a source or a model out, or state its licence: under data, its terms: under models; "
            "--mixed-licences exports them anyway",
        )


def _own(target: Path) -> None:
    """Make the folder and mark it. Raises `RunError` for one that holds something else."""
    try:
        target.mkdir(parents=True, exist_ok=True)
        if any(target.iterdir()) and not (target / MARK).exists():
            raise RunError(
                f"the folder {target} holds other things than an export", "name an empty or new one with --to"
            )
        (target / MARK).touch()
    except OSError as error:
        raise RunError(
            f"the folder {target} cannot be written: {error.strerror or error}", "name another one with --to"
        ) from error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=8)).hexdigest()


def _tidy(target: Path, kept: set[str]) -> None:
    """Remove what an earlier export in another format has left."""
    for path in target.iterdir():
        if path.name not in kept and (path.name.startswith("train.") or path.name == INFO):
            path.unlink()


def _write(path: Path, rows: Iterable[dict[str, Any]], pairs: bool) -> None:
    if path.suffix == ".jsonl":
        RunFolder.write_lines(path, rows)
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    shape, part = schema(pairs), path.with_name(path.name + ".part")
    stream = iter(rows)
    with pq.ParquetWriter(part, shape) as writer:
        while batch := list(islice(stream, BATCH)):
            writer.write_table(pa.Table.from_pylist(batch, schema=shape))
    part.replace(path)
