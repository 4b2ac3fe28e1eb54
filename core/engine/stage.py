"""A stage: a graph over seeds, as a flow asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from synth.chat import Chat
from synth.engine.runner import Graph
from synth.records import Seed

__all__ = ["GraphStage"]


@dataclass(frozen=True)
class GraphStage:
    """What a session runs under `name`.

    `total` seeds are expected, if that is known; `extras` is shared by all invocations through their
    context; `models`, where given, play in the place of the session's.
    """

    name: str
    graph: Graph
    seeds: Iterable[Seed]
    total: int | None = None
    extras: Mapping[str, Any] = field(default_factory=dict)
    models: Mapping[str, Chat] | None = None
