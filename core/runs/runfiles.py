"""Reading a run folder that may still be written to, or was left in the middle.

A file that is not there yet reads as nothing, a torn last line is passed over, and a file
that cannot be read at all is named in `warnings` and otherwise treated as missing.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import orjson
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from synth.errors import RunError
from synth.journal import StageRow

__all__ = [
    "CallTotals",
    "JournalView",
    "Part",
    "open_readonly",
    "read_journal",
    "read_json",
    "read_lines",
    "read_yaml",
]

M = TypeVar("M", bound=BaseModel)


class Part(BaseModel):
    """Base of what is read: unknown keys are passed over, so newer files can be read."""

    model_config = ConfigDict(frozen=True, extra="ignore")


@dataclass(frozen=True)
class CallTotals:
    """The calls one agent made of one model in one stage (`round/name`), added up; `last` is
    when the last was answered."""

    stage: str
    agent: str
    role: str
    model: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    last: float


@dataclass(frozen=True)
class JournalView:
    """What a summary needs of a journal. `results` maps a stage to (seeds, kept, rejected)."""

    meta: dict[str, str] = field(default_factory=dict)
    stages: list[StageRow] = field(default_factory=list)
    calls: list[CallTotals] = field(default_factory=list)
    results: dict[str, tuple[int, int, int]] = field(default_factory=dict)


def read_journal(path: Path) -> JournalView:
    """Read the journal without writing to it; one that is not there yet is empty.

    Raises:
        RunError: the file is no journal, or is damaged.
    """
    if not path.is_file():
        return JournalView()
    try:
        connection = open_readonly(path)
        try:
            return _view(connection)
        finally:
            connection.close()
    except (sqlite3.Error, ValueError) as error:
        raise RunError(
            f"reading the journal {path}: {error}",
            "Restore the file from a copy, or start the run anew with --fresh.",
        ) from error


def open_readonly(path: Path) -> sqlite3.Connection:
    """A connection that reads a journal, whoever else has it open. Raises `sqlite3.Error`.

    In a folder that cannot be written SQLite has no place for the index of its log; then
    the file is read as it lies.
    """
    uri = path.resolve().as_uri()
    connection = sqlite3.connect(f"{uri}?mode=ro", uri=True, timeout=30)
    try:
        connection.execute("SELECT name FROM sqlite_master LIMIT 1").fetchall()
        return connection
    except sqlite3.OperationalError:
        connection.close()
        return sqlite3.connect(f"{uri}?mode=ro&immutable=1", uri=True)


def _view(connection: sqlite3.Connection) -> JournalView:
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}

    def rows(table: str, query: str) -> list[tuple[Any, ...]]:
        return connection.execute(query).fetchall() if table in tables else []

    stages = rows("stages", "SELECT round, name, status, started, finished, info FROM stages ORDER BY rowid")
    calls = rows(
        "calls",
        "SELECT stage, agent, role, model, COUNT(*), SUM(prompt_tokens), SUM(completion_tokens),"
        " SUM(seconds), MAX(at) FROM calls GROUP BY stage, agent, role, model",
    )
    results = rows("results", "SELECT stage, COUNT(*), SUM(kept), SUM(rejected) FROM results GROUP BY stage")
    return JournalView(
        meta=dict(rows("meta", "SELECT key, value FROM meta")),
        stages=[
            StageRow(r, name, status, start, end, json.loads(i)) for r, name, status, start, end, i in stages
        ],
        calls=[CallTotals(*row) for row in calls],
        results={stage: (seeds, kept, rejected) for stage, seeds, kept, rejected in results},
    )


def read_json(path: Path, model: type[M], warnings: list[str]) -> M | None:
    """A JSON file as a model."""
    try:
        return model.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        warnings.append(f"{path}: {_plainly(error)}")
        return None


def read_yaml(path: Path, warnings: list[str]) -> dict[str, Any]:
    """A YAML file that holds a mapping."""
    try:
        content = yaml.safe_load(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, yaml.YAMLError) as error:
        warnings.append(f"{path}: {_plainly(error)}")
        return {}
    return content if isinstance(content, dict) else {}


def read_lines(path: Path, model: type[M], warnings: list[str]) -> Iterator[M]:
    """A JSON Lines file, a model a line. Other than the last, a bad line ends the reading."""
    bad = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if bad:
                    warnings.append(f"{path}:{bad}: not a {model.__name__}")
                    return
                try:
                    yield model.model_validate(orjson.loads(line))
                except (orjson.JSONDecodeError, ValidationError):
                    bad = number
    except FileNotFoundError:
        return
    except OSError as error:
        warnings.append(f"{path}: {_plainly(error)}")


def _plainly(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        return f"{place}: {first['msg']}" if place else first["msg"]
    return " ".join(str(error).split("\n")[:2])
