"""The receipt of a run: what was paid, replayed, repeated, lost, duplicated. All from its files.

Every time a call was handed to an endpoint is exactly one of five things, so that
`sent == paid + failed + repeated + unanswered + shared`.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import orjson
from pydantic import BaseModel, ConfigDict

from synth.errors import RunError
from synth.runs.runfiles import open_readonly

__all__ = ["Audit", "audit"]


class Audit(BaseModel):
    """Counts over a whole run, all its starts together. `n` samples of one prompt are `n` calls."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    starts: int
    """processes that worked on the run"""
    sent: int
    """times a call was handed to its endpoint; its retries within one start belong to it"""
    paid: int
    """calls answered, each stored once"""
    replayed: int
    """times a stored answer was used instead of paying: after a stop, for the same call made
    twice, or from the run that is replayed"""
    failed: int
    """times a call got no usable answer, all its retries included"""
    repeated: int
    """calls cut off in flight, by a stop and sent again by a later start, or with their server and
    sent to another: what that cost at most, as the endpoint may or may not have answered them"""
    unanswered: int
    """calls cut off in flight by a stop and not sent again so far"""
    shared: int = 0
    """calls made for records of two shards, and paid in each: workers do not know each other's answers"""
    seeds: int
    """seeds with a stored result"""
    kept: int
    """samples in these results"""
    rejected: int
    """rejections in these results"""
    lost: int
    """results that finished stages counted and the journal does not have, and training samples
    that were chosen and the data files do not have"""
    duplicated: int
    """samples that stand twice in one round's data"""

    @property
    def sound(self) -> bool:
        """Whether nothing was lost and nothing doubled."""
        return self.lost == 0 and self.duplicated == 0


def audit(folder: Path, journal: Path | None = None) -> Audit:
    """Audit a run folder, whatever state it is in. Raises `RunError` if it holds no journal.

    `journal` is a copy that has more than the folder's own (`synth.scale.merge.whole`).
    """
    path = journal or folder / "journal.db"
    if not path.is_file():
        raise RunError(
            f"{folder} holds no journal.db", "name a folder that `synth run` made, such as runs/NAME"
        )
    try:
        connection = open_readonly(path)
        try:
            return _count(connection, folder)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise RunError(
            f"the journal {path} is damaged: {error}", "restore it, or start anew with --fresh"
        ) from error


def _count(connection: sqlite3.Connection, folder: Path) -> Audit:
    def one(query: str) -> int:
        return int(connection.execute(query).fetchone()[0] or 0)

    # One view of a journal that may still be written to.
    connection.execute("BEGIN")
    sent, paid = one("SELECT COUNT(*) FROM sends"), one("SELECT COUNT(*) FROM calls")
    failed = one("SELECT COUNT(*) FROM failures WHERE kind != 'moved'")  # those left for another server
    unanswered = one(_UNANSWERED)
    shared = one("SELECT SUM(value) FROM meta WHERE key = 'shared'")
    missing, doubled = _data_faults(connection, folder)
    return Audit(
        starts=one("SELECT COUNT(DISTINCT substr(session, 1, 12)) FROM starts"),
        sent=sent,
        paid=paid,
        replayed=one("SELECT SUM(replayed) FROM starts"),
        failed=failed,
        repeated=sent - paid - failed - unanswered - shared,
        unanswered=unanswered,
        shared=shared,
        seeds=one("SELECT COUNT(*) FROM results"),
        kept=one("SELECT SUM(kept) FROM results"),
        rejected=one("SELECT SUM(rejected) FROM results"),
        lost=one(_LOST_SEEDS) + missing,
        duplicated=doubled,
    )


# Calls without an answer whose last sending, in the last start that sent them, did not end in a
# failure. Within one start a call is in flight once at a time, so only its last sending may be cut.
_UNANSWERED = """
WITH tries AS (SELECT key, session, COUNT(*) AS times, MAX(id) AS last FROM sends GROUP BY key, session),
     latest AS (SELECT key, session, times, MAX(last) FROM tries GROUP BY key),
     faults AS (SELECT key, session, COUNT(*) AS times FROM failures GROUP BY key, session)
SELECT COUNT(*) FROM latest LEFT JOIN faults USING (key, session)
WHERE latest.times > COALESCE(faults.times, 0)
  AND NOT EXISTS (SELECT 1 FROM calls WHERE calls.key = latest.key)
"""
_LOST_SEEDS = """
SELECT SUM(MAX(0, json_extract(info, '$.seeds')
                  - (SELECT COUNT(*) FROM results WHERE stage = stages.round || '/' || stages.name)))
FROM stages WHERE status = 'done'
"""


def _data_faults(connection: sqlite3.Connection, folder: Path) -> tuple[int, int]:
    """Samples that are missing from the rounds' data, and samples that stand there twice."""
    missing = doubled = 0
    query = "SELECT round, json_extract(info, '$.kept') FROM stages WHERE name = 'curate' AND status = 'done'"
    for number, chosen in connection.execute(query):
        ids = _ids(folder / "rounds" / str(number) / "data" / "samples.jsonl")
        missing += max(0, int(chosen) - len(ids))
        doubled += len(ids) - len(set(ids))
    return missing, doubled


def _ids(path: Path) -> list[str]:
    """Ids of the samples in a file, whole lines alone; none if it is not there."""
    found = []
    try:
        with path.open("rb") as file:
            for line in file:
                found.append(str(orjson.loads(line)["id"]))
    except (FileNotFoundError, orjson.JSONDecodeError):
        pass
    return found
