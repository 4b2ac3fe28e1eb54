"""A recorded run: its journal, read only, to answer in the place of models.

Replies are found by the same keys, failed calls fail again, and what was never asked there
is an error that says what differs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from synth.chat import CallFailed, Request
from synth.errors import RunError
from synth.records import Message
from synth.runs.differences import differences
from synth.runs.runfiles import open_readonly

__all__ = ["Recording"]

_LOOKED_AT = 2000
"""Recorded prompts of an agent that are compared with one that is missing."""
_SHOWN = 60
"""Characters shown of either prompt where they part."""


class Recording:
    """An earlier run, which the run `name` replays.

    One that was itself begun as a replay falls back on the run it replayed.
    Raises `RunError` if the folder holds no journal that can be read.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.cure = (
            f"the same command with --name {name} and without --replay goes on with models, "
            "and pays only for what is new"
        )
        journal = path / "journal.db"
        if not journal.is_file():
            raise RunError(f"{path} holds no journal.db to replay", "name a run's folder, such as runs/NAME")
        try:
            self._journal = open_readonly(journal)
            noted = self._one("SELECT value FROM meta WHERE key = 'replay'")
        except sqlite3.Error as error:
            raise RunError(f"the journal {journal} cannot be read: {error}", "name another run") from error
        self._earlier = Recording(Path(noted[0]), name) if noted else None

    def find(self, key: bytes) -> bytes | None:
        """The recorded reply for a call key."""
        row = self._one("SELECT reply FROM calls WHERE key = ?", key)
        if row is None:
            return self._earlier.find(key) if self._earlier else None
        return row[0]  # type: ignore[no-any-return]

    def failure(self, key: bytes) -> CallFailed | None:
        """How a call that was sent failed for good, if it did."""
        query = (
            "SELECT kind, detail, attempts, raw FROM failures"
            " WHERE key = ? AND kind != 'moved' ORDER BY id DESC"
        )
        row = self._one(query, key)
        if row is None:
            return self._earlier.failure(key) if self._earlier else None
        return CallFailed(*row)

    def identity(self, role: str) -> tuple[str, str] | None:
        """Model and weights that played a role at first, or None if it was never asked anything."""
        if self._earlier and (earlier := self._earlier.identity(role)):
            return earlier
        row = self._one("SELECT model, weights FROM calls WHERE role = ? ORDER BY id LIMIT 1", role)
        return (row[0], row[1]) if row else None

    def never_asked(self, request: Request, model: str, weights: str, index: int) -> RunError:
        """The error for a call that is not recorded: who asks what where, and what differs."""
        return RunError(
            f"stage {request.stage}: the agent {request.agent!r} asks {model} "
            f"what was never asked in {self.path}: {self._difference(request, model, weights, index)}",
            self.cure,
        )

    def round(self, number: int) -> Path:
        """Folder of one of its rounds."""
        return self.path / "rounds" / str(number)

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()
        if self._earlier:
            self._earlier.close()

    def _one(self, query: str, *values: object) -> Any:
        return self._journal.execute(query, values).fetchone()

    def _difference(self, request: Request, model: str, weights: str, index: int) -> str:
        """In words: what the most similar recorded call has otherwise."""
        head = b'{"messages":' + orjson.dumps(request.messages) + b","
        same = self._one(
            "SELECT model, weights, request FROM calls WHERE agent = ? AND substr(request, 1, ?) = ?"
            " ORDER BY weights = ? DESC LIMIT 1",
            *(request.agent, len(head), head, weights),
        )
        if same is None:
            return self._nearest(request)
        now = {
            "model": model,
            "weights": weights,
            "sampling": request.sampling.model_dump(mode="json"),
            "schema": request.schema,
        }
        then = {"model": same[0], "weights": same[1], **orjson.loads(same[2])}
        then.pop("messages")
        changed = list(differences(then, now, ""))
        return "; ".join(changed) or f"this prompt was asked there, but not for sample {index}"

    def _nearest(self, request: Request) -> str:
        rows = self._journal.execute(
            "SELECT request FROM calls WHERE agent = ? ORDER BY stage = ? DESC, id LIMIT ?",
            (request.agent, request.stage, _LOOKED_AT),
        )
        now = _text(request.messages)
        texts = (_text(orjson.loads(row[0])["messages"]) for row in rows)
        then = max(texts, key=lambda text: _shared(now, text) + _shared(now[::-1], text[::-1]), default="")
        if not then:
            return "no call of this agent is recorded"
        start = max(0, _shared(now, then) - _SHOWN // 2)
        return (
            f"its prompt reads {now[start : start + _SHOWN]!r} "
            f"where the most similar one there reads {then[start : start + _SHOWN]!r}"
        )


def _shared(one: str, other: str) -> int:
    """Characters two texts have in common from their beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _text(messages: Sequence[Message]) -> str:
    return "\n".join(f"{message['role']}: {message['content']}" for message in messages)
