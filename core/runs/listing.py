"""A few records of a run to choose one from: the newest that were kept, and one for each reason to drop."""

from __future__ import annotations

from collections import Counter, deque
from pathlib import Path

from pydantic import Field

from synth.errors import RunError
from synth.records import Rejection, Sample
from synth.runs.runfiles import Part, read_lines

__all__ = ["Listed", "Listing", "list_records"]


class Listed(Part):
    """One record: the id by which it is looked up, why it was dropped (empty: it was kept), what it says."""

    id: str
    round: int
    reason: str = ""
    count: int = 1
    """Of one that was dropped: records dropped for this reason."""
    text: str


class Listing(Part):
    """Some records of the last round that has any."""

    kept: int = 0
    records: list[Listed] = Field(default_factory=list)


def list_records(run: Path, most: int = 10) -> Listing:
    """At most `most` kept records, the newest first, then one for each reason. Raises `RunError` if the
    folder has no data yet."""
    for number in sorted(map(int, (path.name for path in (run / "rounds").glob("[0-9]*"))), reverse=True):
        data = run / "rounds" / str(number) / "data"
        if not (data / "samples.jsonl").is_file():
            continue
        kept, last = 0, deque[Sample](maxlen=most)
        for sample in read_lines(data / "samples.jsonl", Sample, []):
            kept += 1
            last.append(sample)
        records = [Listed(id=one.id, round=number, text=_asked(one)) for one in reversed(last)]
        return Listing(kept=kept, records=records + _dropped(data / "rejected.jsonl", number))
    raise RunError(
        f"{run} has no data of a finished round to look into",
        f"name a folder that `synth run` made, or look at the run as it goes on: synth view {run}",
    )


def _dropped(path: Path, number: int) -> list[Listed]:
    first: dict[str, Rejection] = {}
    counts: Counter[str] = Counter()
    for one in read_lines(path, Rejection, []):
        first.setdefault(one.reason, one)
        counts[one.reason] += 1
    return [_refused(first[reason], number, count) for reason, count in counts.most_common()]


def _refused(one: Rejection, number: int, count: int) -> Listed:
    name, said = str(one.data.get("sample") or one.seed_id), one.detail or one.raw or one.node
    return Listed(id=name, round=number, reason=one.reason, count=count, text=said)


def _asked(sample: Sample) -> str:
    return sample.prompt[-1]["content"]
