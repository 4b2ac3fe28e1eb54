"""A round's data set on disk: TRL-ready parquet and jsonl, full records, rejections, a card."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from synth.curation.curate import Curated
from synth.curation.licences import UNSTATED, conflicts, terms_in
from synth.curation.markers import MARKERS
from synth.engine.folder import RunFolder
from synth.errors import DataError
from synth.records import Rejection, Sample

__all__ = ["rows_file", "write_dataset", "write_rows"]


def write_dataset(folder: Path, curated: Curated, earlier: Iterable[Rejection], facts: dict[str, Any]) -> str:
    """Write all files of `rounds/N/data/`; returns the digest of all training rows.

    `earlier` are rejections from the graphs. `facts` go into the card as they are. Raises
    `DataError` where a learner was made both pairs and single answers: it learns from one kind.
    """
    learners = Counter(sample.learner for sample in curated.samples)
    written = [_write(folder, role, curated.of(role)) for role in sorted(learners, key=_student_first)]
    digest = hashlib.blake2b(b"".join(written), digest_size=8).hexdigest()
    RunFolder.write_lines(folder / "samples.jsonl", curated.samples)
    counts: Counter[str] = Counter()

    def counted() -> Iterable[Rejection]:
        for rejection in (*earlier, *curated.rejections):
            counts[rejection.reason] += 1
            yield rejection

    RunFolder.write_lines(folder / "rejected.jsonl", counted())
    card = _card(curated, counts, {**facts, "digest": digest, "learners": learners})
    RunFolder.write(folder / "README.md", card.encode())
    return digest


def rows_file(folder: Path, role: str) -> Path:
    """The parquet file of the rows a role trains on; the jsonl of the same name holds them too."""
    return folder / ("train.parquet" if role == "student" else f"{role}.parquet")


def _student_first(role: str) -> tuple[bool, str]:
    return role != "student", role


def _write(folder: Path, role: str, samples: list[Sample]) -> bytes:
    """One learner's rows, as jsonl and as parquet; returns the former."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if len({sample.chosen is None for sample in samples}) > 1:
        raise DataError(
            f"the training set of the {role} mixes pairs with single answers",
            "give each kind its own learner (Sample.learner), with its training under learners:",
        )
    flagged = any(sample.meta.get("unfinished") for sample in samples)
    rows = [_row(sample) | ({"unfinished": _unfinished(sample)} if flagged else {}) for sample in samples]
    if any(MARKERS in sample.meta for sample in samples):
        rows = [
            row | {MARKERS: sample.meta.get(MARKERS, "")} for row, sample in zip(rows, samples, strict=True)
        ]
    lines = b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
    path = rows_file(folder, role)
    RunFolder.write(path.with_suffix(".jsonl"), lines)
    part = path.with_suffix(".parquet.part")
    pq.write_table(pa.Table.from_pylist(rows), part)
    part.replace(path)
    return lines


def _unfinished(sample: Sample) -> list[str]:
    """Sides that were cut off: training gives them no end."""
    return [str(side) for side in sample.meta.get("unfinished", ())]


def write_rows(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write training rows as JSON Lines."""
    RunFolder.write_lines(path, rows)


def _row(sample: Sample) -> dict[str, Any]:
    """The columns TRL reads, with the sample's id, family and skills beside them."""
    row: dict[str, Any] = {"prompt": sample.prompt}
    if sample.completion is not None:
        row["completion"] = sample.completion
    else:
        row |= {"chosen": sample.chosen, "rejected": sample.rejected}
    if "truth" in sample.meta:
        row["truth"] = orjson.dumps(sample.meta["truth"]).decode()
    return row | {"id": sample.id, "family": sample.family, "skills": list(sample.skills)}


def _card(curated: Curated, drops: Counter[str], facts: dict[str, Any]) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("synth.curation", "."),
        undefined=StrictUndefined,
        trim_blocks=True,
        autoescape=False,  # Markdown, not HTML
    )
    kinds = "pairs" if all(sample.chosen for sample in curated.samples) else "examples"
    families = Counter(sample.family or "all" for sample in curated.samples)
    licences = Counter(sample.licence or UNSTATED for sample in curated.samples)
    terms = Counter(name for sample in curated.samples for name in terms_in(sample))
    return environment.get_template("card.md.j2").render(
        samples=len(curated.samples),
        tokens=curated.tokens,
        families=sorted(families.items()),
        kind=kinds,
        lint=curated.lint.figures(),
        drops=sorted(drops.items()),
        licences=dict(licences.most_common()),
        terms=dict(terms.most_common()),
        warnings=conflicts(licences, terms),
        steps=curated.steps,
        judge=curated.judge,
        alignment=curated.alignment,
        facts=facts,
    )
