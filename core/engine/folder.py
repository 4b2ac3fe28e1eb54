"""A run's folder: where everything is, who holds it, and what happened in it."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson
import yaml
from pydantic import BaseModel

from synth.engine.lock import take_lock
from synth.errors import RunError
from synth.runs.differences import differences

__all__ = ["RunFolder", "lesson_folders"]

# What may change between two starts of one run without making it another run.
_MAY_CHANGE = ("budget", "prices", "profiles", "gpu")
_OF_A_SERVER = {"port", "gpu_memory_utilization", "kv_cache_gib", "replicas"}


class RunFolder:
    """Paths of one run. `open` takes the lock; a second process is told who holds it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    @property
    def journal(self) -> Path:
        return self.path / "journal.db"

    @property
    def flow(self) -> Path:
        return self.path / "flow.yaml"

    def round(self, number: int) -> Path:
        """Folder of one round, made if needed."""
        folder = self.path / "rounds" / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def open(self, fresh: bool = False) -> None:
        """Make the folder and take its lock. Raises `RunError` if another process has it."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = take_lock(self.path / "run.lock", f"the run {self.path}")
        except OSError as error:
            raise RunError(
                f"the run folder {self.path} cannot be used: {error.strerror or error}",
                "choose another with --runs, or mend its permissions and space",
            ) from error
        if fresh:
            self._empty()

    def close(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def settle(
        self,
        resolved: Mapping[str, Any],
        completed: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda earlier: earlier,
    ) -> None:
        """Write the resolved flow file, or check that it is the one this run was begun with.

        `completed` adds to an earlier version's what has come since. Raises `RunError`.
        """
        if self.flow.exists():
            before = completed(yaml.safe_load(self.flow.read_text(encoding="utf-8")))
            changed = list(differences(_binding(before), _binding(resolved)))
            if changed:
                raise RunError(
                    f"the run {self.path} was begun with other settings:\n    " + "\n    ".join(changed),
                    "give this one another --name, or start anew with --fresh",
                )
        self.write(self.flow, yaml.safe_dump(dict(resolved), sort_keys=False, allow_unicode=True).encode())

    def event(self, event: str, **facts: Any) -> None:
        """Add one line to events.jsonl."""
        line = orjson.dumps({"at": time.time(), "event": event, **facts}, option=orjson.OPT_APPEND_NEWLINE)
        with (self.path / "events.jsonl").open("ab") as file:
            file.write(line)

    @staticmethod
    def write(path: Path, data: bytes) -> None:
        """Replace a file whole: a reader or a crash never sees half of it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        part.write_bytes(data)
        part.replace(path)

    @classmethod
    def write_json(cls, path: Path, content: BaseModel | Mapping[str, Any]) -> None:
        """Replace a JSON file whole."""
        plain = content.model_dump(mode="json") if isinstance(content, BaseModel) else dict(content)
        cls.write(path, orjson.dumps(plain, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))

    @classmethod
    def write_lines(cls, path: Path, records: Iterable[BaseModel | Mapping[str, Any]]) -> int:
        """Replace a JSON Lines file whole, streaming; returns the number of lines."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        count = 0
        with part.open("wb") as file:
            for record in records:
                plain = record.model_dump(mode="json") if isinstance(record, BaseModel) else record
                file.write(orjson.dumps(plain, option=orjson.OPT_APPEND_NEWLINE))
                count += 1
        part.replace(path)
        return count

    def _empty(self) -> None:
        for entry in self.path.iterdir():
            if entry.name == "run.lock":
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                with contextlib.suppress(FileNotFoundError):
                    entry.unlink()


def lesson_folders(role: str) -> tuple[str, str]:
    """Names, in a round's folder, of the folders of a role's training and of its new weights."""
    return ("train", "student") if role == "student" else (f"{role}-train", role)


def _binding(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Without what may change between two starts."""
    kept = {key: value for key, value in settings.items() if key not in _MAY_CHANGE}
    if isinstance(models := kept.get("models"), Mapping):
        kept["models"] = {role: _identity(spec) for role, spec in models.items()}
    return kept


def _identity(spec: Any) -> Any:
    """A role without where and how large its server is."""
    if not isinstance(spec, Mapping) or not isinstance(server := spec.get("server"), Mapping):
        return spec
    return {**spec, "server": {key: value for key, value in server.items() if key not in _OF_A_SERVER}}
