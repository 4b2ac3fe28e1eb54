"""The receipt of a run: what was paid, replayed, repeated, lost, duplicated. All from its files."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from pydantic import BaseModel

from synth.errors import RunError
from synth.records import Sample

__all__ = ["Audit", "audit"]


class Audit(BaseModel):
    """Counts over a whole run. A sound run has `lost` and `duplicated` 0.

    `paid` calls were answered and stored; `sent` is how often a call left for its endpoint.
    `repeated` are calls sent again by a later start of the run because a stop had cut them
    off in flight: the price of the stops, at most the calls in flight at each.
    `unanswered` were sent and never answered (failed, or in flight at the last stop).
    `lost` are seeds a finished stage has no result for; `duplicated` are samples, or seeds,
    that stand in the data twice.
    """

    starts: int
    sent: int
    paid: int
    repeated: int
    unanswered: int
    seeds: int
    kept: int
    rejected: int
    lost: int
    duplicated: int

    @property
    def sound(self) -> bool:
        """Whether nothing was lost and nothing doubled."""
        return self.lost == 0 and self.duplicated == 0


def audit(folder: Path) -> Audit:
    """Audit a run folder, whatever state it is in. Raises `RunError` if it holds no journal."""
    path = folder / "journal.db"
    if not path.is_file():
        raise RunError(
            f"{folder} holds no journal.db", "name a folder that `synth run` made, such as runs/NAME"
        )
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    except sqlite3.Error as error:
        raise RunError(f"the journal {path} cannot be read: {error}", "check its permissions") from error
    try:
        return _count(connection, folder)
    except sqlite3.DatabaseError as error:
        raise RunError(
            f"the journal {path} is damaged: {error}", "restore it, or start anew with --fresh"
        ) from error
    finally:
        connection.close()


def _count(connection: sqlite3.Connection, folder: Path) -> Audit:
    def one(query: str) -> int:
        return int(connection.execute(query).fetchone()[0] or 0)

    # Within one start a call is sent again only by a retry that is part of the same send.
    repeated = one("SELECT SUM(n - 1) FROM (SELECT COUNT(DISTINCT session) AS n FROM sends GROUP BY key)")
    unanswered = one(
        "SELECT COUNT(DISTINCT key) FROM sends WHERE NOT EXISTS (SELECT 1 FROM calls WHERE calls.key = sends.key)"
    )
    return Audit(
        starts=one("SELECT COUNT(DISTINCT session) FROM sends"),
        sent=one("SELECT COUNT(*) FROM sends"),
        paid=one("SELECT COUNT(*) FROM calls"),
        repeated=repeated,
        unanswered=unanswered,
        seeds=one("SELECT COUNT(*) FROM results"),
        kept=one("SELECT SUM(kept) FROM results"),
        rejected=one("SELECT SUM(rejected) FROM results"),
        lost=_lost(connection),
        duplicated=_duplicated(folder),
    )


def _lost(connection: sqlite3.Connection) -> int:
    """Seeds that finished stages counted and the journal has no result for."""
    rows = connection.execute(
        "SELECT json_extract(info, '$.seeds'),"
        " (SELECT COUNT(*) FROM results WHERE stage = round || '/' || name)"
        " FROM stages WHERE status = 'done' AND json_extract(info, '$.seeds') IS NOT NULL"
    )
    return sum(max(0, int(counted) - int(stored)) for counted, stored in rows)


def _duplicated(folder: Path) -> int:
    """Samples that stand twice in one round's data."""
    doubled = 0
    for path in sorted(folder.glob("rounds/*/data/samples.jsonl")):
        seen: set[str] = set()
        with path.open("rb") as file:
            for line in file:
                sample = Sample.model_validate_json(line)
                doubled += sample.id in seen
                seen.add(sample.id)
    return doubled
