"""The index of a run's records, in a file beside them: a cache that may be deleted at any time.

Only words and labels are in it; the records stay where they are, and a row says where. A round
that is not curated yet is indexed from the journal's results, then anew from its data files.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from synth.runs.runfiles import open_readonly
from synth.view.entry import Entry, rejection_entry, sample_entry

__all__ = ["Index"]

VERSION = "1"
BATCH = 1000
"""Records of one transaction: how many more are seen at once while a large file is read."""
LONGEST = 20_000
"""Characters of a text that are searched."""
NAME = "view.db"
FILES = ("rejected", "samples")
"""Data files of a round in the order they are read: the last read is shown first."""

_TABLES = """
CREATE TABLE IF NOT EXISTS facts(key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sources(name TEXT PRIMARY KEY, mark TEXT NOT NULL, done INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS records(
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, seed TEXT NOT NULL, state TEXT NOT NULL,
  round INTEGER NOT NULL, stage TEXT NOT NULL, reason TEXT NOT NULL, arm TEXT NOT NULL,
  learner TEXT NOT NULL, source TEXT NOT NULL, place INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS by_name ON records(name);
CREATE INDEX IF NOT EXISTS by_seed ON records(seed) WHERE source LIKE 'journal/%';
CREATE TABLE IF NOT EXISTS tags(tag TEXT, record INTEGER, PRIMARY KEY(tag, record)) WITHOUT ROWID;
CREATE VIRTUAL TABLE IF NOT EXISTS texts USING fts5(
  asked, answered, ids, content='', columnsize=0, prefix='2 3',
  tokenize='unicode61 remove_diacritics 2');
"""


class Index:
    """Finds the records of one run; `refresh` brings it up to date, from any one thread at a time."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self._away: tempfile.TemporaryDirectory[str] | None = None
        self.path = run / NAME
        try:
            with self.connect() as db:
                db.execute("REPLACE INTO facts VALUES('opened', '')")
        except sqlite3.Error:
            # A folder that cannot be written, or a file that is no index.
            self._away = tempfile.TemporaryDirectory(prefix="synth-view-")
            self.path = Path(self._away.name) / NAME

    def close(self) -> None:
        """Remove the index where it could not be beside the run."""
        if self._away is not None:
            self._away.cleanup()

    @contextmanager
    def connect(self) -> Iterator[sqlite3.Connection]:
        """A connection to the index, whose tables are there. Raises `sqlite3.Error`."""
        with closing(sqlite3.connect(self.path, timeout=30, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=OFF")
            db.executescript(_TABLES)
            yield db

    def refresh(self) -> bool:
        """Take in a batch of what is new; returns whether there was any. Raises `sqlite3.Error`."""
        with self.connect() as db, _transaction(db):
            self._same_run(db)
            curated = set()
            for number, folder in self._rounds():
                if (folder / "data" / "samples.jsonl").is_file():
                    curated.add(number)
                for kind in FILES:
                    if self._read_file(db, number, kind, folder / "data" / f"{kind}.jsonl"):
                        return True
            return self._read_journal(db, curated)

    def _rounds(self) -> list[tuple[int, Path]]:
        found = (self.run / "rounds").glob("[0-9]*")
        return sorted((int(path.name), path) for path in found if path.name.isdecimal())

    def _same_run(self, db: sqlite3.Connection) -> None:
        """Forget everything if the run was begun afresh, or the index is another version's."""
        with self.journal() as journal:
            row = (
                journal.execute("SELECT value FROM meta WHERE key = 'created'").fetchone()
                if journal
                else None
            )
        identity = f"{VERSION} {row[0] if row else ''}"
        known = db.execute("SELECT value FROM facts WHERE key = 'run'").fetchone()
        if known is None or known[0] != identity:
            _forget(db, "1")
            db.execute("DELETE FROM sources")
            db.execute("REPLACE INTO facts VALUES('run', ?)", (identity,))

    @contextmanager
    def journal(self) -> Iterator[sqlite3.Connection | None]:
        """The run's journal, read only; None while there is none."""
        path = self.run / "journal.db"
        if not path.is_file():
            yield None
            return
        with closing(open_readonly(path)) as journal:
            ready = journal.execute("SELECT 1 FROM sqlite_master WHERE name = 'results'").fetchone()
            yield journal if ready else None

    def _read_file(self, db: sqlite3.Connection, number: int, kind: str, path: Path) -> bool:
        """The next records of a data file; one that was replaced is read anew."""
        source = f"{number}/{kind}"
        known = db.execute("SELECT mark, done FROM sources WHERE name = ?", (source,)).fetchone()
        try:
            found = path.stat()
        except FileNotFoundError:
            return False
        mark, done = f"{found.st_ino} {found.st_mtime_ns}", known[1] if known else 0
        if known is None or known[0] != mark:
            _forget(db, "source = ?", source)
            _forget(db, "source GLOB ? AND state = ?", f"journal/{number}/*", _STATES[kind])
            done = 0
        elif done >= found.st_size:
            return False
        with path.open("rb") as file:
            file.seek(done)
            lines = [line for line in islice(file, BATCH) if line.endswith(b"\n")]
        _add(db, source, self._entries(number, kind, lines, done))
        # What is left without the end of a line is torn, and the file will be replaced.
        end = done + sum(map(len, lines)) if lines else found.st_size
        db.execute("REPLACE INTO sources VALUES(?, ?, ?)", (source, mark, end))
        return True

    def _entries(self, number: int, kind: str, lines: list[bytes], place: int) -> Iterator[tuple[Entry, int]]:
        """The records of these lines with the places they begin at; a line that holds none is passed over."""
        records = []
        for line in lines:
            with suppress(orjson.JSONDecodeError):
                records.append((orjson.loads(line), place))
            place += len(line)
        arm, found = self._arm(number), [pair for pair in records if isinstance(pair[0], dict)]
        stages = self._stages(number, [str(record.get("seed_id")) for record, _ in found])
        for record, begin in found:
            with suppress(KeyError, TypeError):
                if kind == "rejected":
                    entry = rejection_entry(record, arm)
                else:
                    entry = sample_entry(record, "kept", stages.get(record["seed_id"], ""))
                yield entry, begin

    def _arm(self, number: int) -> str:
        try:
            plan = orjson.loads((self.run / "rounds" / str(number) / "plan.json").read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return ""
        return str(plan.get("arm", ""))

    def _stages(self, number: int, seeds: list[str]) -> dict[str, str]:
        """In which stage of a round a seed gave samples."""
        with self.journal() as journal:
            if journal is None:
                return {}
            names = journal.execute("SELECT name FROM stages WHERE round = ?", (number,)).fetchall()
            query = (
                "SELECT seed FROM results WHERE stage = ? AND kept > 0"
                " AND seed IN (SELECT value FROM json_each(?))"
            )
            wanted = orjson.dumps(seeds).decode()
            return {
                seed: name
                for (name,) in names
                for (seed,) in journal.execute(query, (f"{number}/{name}", wanted))
            }

    def _read_journal(self, db: sqlite3.Connection, curated: set[int]) -> bool:
        """The next results of rounds whose data are not written yet."""
        with self.journal() as journal:
            if journal is None:
                return False
            mark, done = self._resume(db, journal)
            query = (
                "SELECT rowid, stage, seed, CASE WHEN kept + rejected > 0 THEN payload END FROM results"
                " WHERE rowid > ? ORDER BY rowid LIMIT ?"
            )
            rows = journal.execute(query, (done, BATCH)).fetchall()
        for row, stage, seed, payload in rows:
            number, _, name = stage.partition("/")
            mark, done = f"{stage} {seed}", row
            if payload is None or int(number) in curated:
                continue
            source = f"journal/{stage}"
            # A seed that was given another chance replaces what came of its first one.
            _forget(db, "seed = ? AND source = ? AND source LIKE 'journal/%'", seed, source)
            _add(db, source, self._result(int(number), name, orjson.loads(payload)))
        if rows:
            db.execute("REPLACE INTO sources VALUES('journal', ?, ?)", (mark, done))
        return bool(rows)

    def _resume(self, db: sqlite3.Connection, journal: sqlite3.Connection) -> tuple[str, int]:
        """The last result that was read; the first, if that one was taken back since."""
        known = db.execute("SELECT mark, done FROM sources WHERE name = 'journal'").fetchone()
        if known is None:
            return "", 0
        row = journal.execute(
            "SELECT stage || ' ' || seed FROM results WHERE rowid = ?", (known[1],)
        ).fetchone()
        if row is None or row[0] != known[0]:
            _forget(db, "source LIKE 'journal/%'")
            return "", 0
        return known[0], known[1]

    def _result(self, number: int, stage: str, result: dict[str, Any]) -> Iterator[tuple[Entry, int]]:
        for place, sample in enumerate(result.get("samples", ())):
            yield sample_entry(sample, "new", stage), place
        rejections = result.get("rejections", ())
        arm = self._arm(number) if rejections else ""
        for place, rejection in enumerate(rejections):
            yield rejection_entry(rejection, arm), place


_STATES = {"rejected": "dropped", "samples": "new"}
"""What the journal's records become that a file of the round's data holds."""


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _add(db: sqlite3.Connection, source: str, entries: Iterable[tuple[Entry, int]]) -> None:
    for entry, place in entries:
        values = (entry.name, entry.seed, entry.state, entry.round, entry.stage, entry.reason)
        row = db.execute(
            "INSERT INTO records VALUES(NULL,?,?,?,?,?,?,?,?,?,?)",
            (*values, entry.arm, entry.learner, source, place),
        ).lastrowid
        db.executemany("INSERT INTO tags VALUES(?, ?)", [(tag, row) for tag in entry.tags])
        texts = (entry.asked[:LONGEST], entry.answered[:LONGEST], entry.ids)
        db.execute("INSERT INTO texts(rowid, asked, answered, ids) VALUES(?, ?, ?, ?)", (row, *texts))


def _forget(db: sqlite3.Connection, where: str, *values: str) -> None:
    """Take records out. Their words and tags stay, under numbers that are never given again."""
    db.execute(f"DELETE FROM records WHERE {where}", values)
