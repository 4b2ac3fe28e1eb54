"""A round's data set on disk: TRL-ready parquet and jsonl, full records, rejections, a card."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from synth.curation.curate import Curated
from synth.engine.folder import RunFolder
from synth.records import Rejection, Sample

__all__ = ["write_dataset", "write_rows"]


def write_dataset(folder: Path, curated: Curated, earlier: Iterable[Rejection], facts: dict[str, Any]) -> str:
    """Write all files of `rounds/N/data/`; returns the digest of the training rows.

    `earlier` are rejections from the graphs. `facts` go into the card as they are.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [_row(sample) for sample in curated.samples]
    lines = b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
    digest = hashlib.blake2b(lines, digest_size=8).hexdigest()
    RunFolder.write(folder / "train.jsonl", lines)
    part = folder / "train.parquet.part"
    pq.write_table(pa.Table.from_pylist(rows), part)
    part.replace(folder / "train.parquet")
    RunFolder.write_lines(folder / "samples.jsonl", curated.samples)
    counts: Counter[str] = Counter()

    def counted() -> Iterable[Rejection]:
        for rejection in (*earlier, *curated.rejections):
            counts[rejection.reason] += 1
            yield rejection

    RunFolder.write_lines(folder / "rejected.jsonl", counted())
    card = _card(curated, counts, {**facts, "digest": digest})
    RunFolder.write(folder / "README.md", card.encode())
    return digest


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
    return row | {"id": sample.id, "family": sample.family, "skills": list(sample.skills)}


def _card(curated: Curated, drops: Counter[str], facts: dict[str, Any]) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("synth.curation", "."),
        undefined=StrictUndefined,
        trim_blocks=True,
        autoescape=False,  # Markdown, not HTML
    )
    families = Counter(sample.family or "all" for sample in curated.samples)
    licences = sorted({sample.licence or "unstated" for sample in curated.samples})
    return environment.get_template("card.md.j2").render(
        samples=len(curated.samples),
        tokens=curated.tokens,
        families=sorted(families.items()),
        drops=sorted(drops.items()),
        licences=licences,
        facts=facts,
    )
