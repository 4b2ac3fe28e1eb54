"""Reading a flow file with its overlays and all its checks, as every command and the Python API do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel

from synth.config import Loaded, check_files, load_flow, parse_flow
from synth.errors import ConfigError

__all__ = ["load", "params_of", "run_name"]


def params_of(flow: str) -> type[BaseModel]:
    """The model of a flow's `with:` section."""
    from synth.flows import load_flow_module

    return load_flow_module(flow).params


def load(path: Path, overrides: Sequence[str], profile: str | None, offline: bool = False) -> Loaded:
    """A flow file, parsed and checked: its files, its models (`offline` leaves them out, since a replay
    does without), and what only its flow knows. Raises `ConfigError`."""
    return _checked(load_flow(path, overrides=overrides, profile=profile, params=params_of), offline)


def parse(
    text: str, path: Path, overrides: Sequence[str], profile: str | None, offline: bool = False
) -> Loaded:
    """As `load`, of a flow file's text."""
    return _checked(parse_flow(text, path, overrides=overrides, profile=profile, params=params_of), offline)


def _checked(loaded: Loaded, offline: bool) -> Loaded:
    from synth.flows import load_flow_module
    from synth.rounds.learnable import check_objectives
    from synth.teachers.models import resolvable

    problems = check_files(loaded, Path(), resolvable=resolvable, roles=() if offline else None)
    flow = load_flow_module(loaded.flow.flow)
    problems += flow.check(loaded) if flow.check else []
    problems += check_objectives(loaded, flow)
    if problems:
        raise ConfigError(problems)
    return loaded


def run_name(loaded: Loaded, overrides: Sequence[str], profile: str | None) -> str:
    """A run's name from its flow file and what is overlaid on it, so that arms do not collide."""
    named = loaded.tree.data.get("name")
    parts = [named if isinstance(named, str) else loaded.path.stem, *([profile] if profile else [])]
    for override in overrides:
        key, _, value = override.partition("=")
        if not key.startswith("budget."):
            parts.append(f"{key.rpartition('.')[2]}-{value}")
    return re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(parts)).strip("-")
