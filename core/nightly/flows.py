"""A night's flow files: read with the night's student and seed in them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from synth.config import Loaded, locate
from synth.errors import ConfigError
from synth.nightly.file import NightFile, Turn

__all__ = ["Load", "read_flow"]

Load = Callable[[Path, Sequence[str], str | None], Loaded]
"""Reads a flow file with overrides and a profile."""


def read_flow(
    file: NightFile, path: Path, turn: Turn, load: Load, *, student: Path | None = None, later: int = 0
) -> Loaded:
    """One flow of the night file at `path`, with `student` for its weights and `later` added to its seed.

    A champion has had its warm start. Raises `ConfigError`, also for what only a night asks of a flow.
    """
    found = locate(turn.flow, path)
    assert found is not None  # the night file was checked for it
    loaded = load(found, turn.set, turn.profile)
    _check(file, loaded)
    overrides = [f"seed={loaded.flow.seed + later}"] if later else []
    if student is not None:
        overrides.append(f"models.student.model={json.dumps(str(student.resolve()))}")
        overrides += ["warm_start=null"] if loaded.flow.warm_start is not None else []
    return load(found, [*turn.set, *overrides], turn.profile) if overrides else loaded


def _check(file: NightFile, loaded: Loaded) -> None:
    student = loaded.flow.models.get("student")
    if student is None or student.kind != "local":
        cure = "give models.student an alias, a hub id or a folder"
        raise ConfigError([loaded.problem("models.student", "a night trains a student served locally", cure)])
    if file.limits.money is not None and not loaded.flow.prices.known:
        cure = "write prices.tokens or prices.gpu_hour, or leave limits.money out of the night"
        raise ConfigError([loaded.problem("flow", "the night has a limit in money, and no price here", cure)])
