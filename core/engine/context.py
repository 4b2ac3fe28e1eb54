"""What a graph's nodes are given at run time: models, parameters, and a place to note calls."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from synth.chat import Chat
from synth.records import Call, Lineage

__all__ = ["Context"]


@dataclass(slots=True)
class Context:
    """One graph invocation's surroundings (LangGraph's `context`), never stored in its state.

    `rng` is seeded by the run, the stage and the seed's id: nodes that need chance take it
    from there, so that a replay makes the same choices. `calls` fills up with the calls
    agents make; `lineage()` turns it into a sample's lineage. `extras` holds what a stage
    shares among its seeds (a pool index, a profile).
    """

    flow: str
    arm: str
    round: int
    stage: str
    seed_id: str
    models: Mapping[str, Chat]
    params: Any
    rng: random.Random
    extras: Mapping[str, Any] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)

    def lineage(self, *parents: str) -> Lineage:
        """The calls made so far, and the ids of the records this one was made from."""
        return Lineage(calls=tuple(self.calls), parents=parents)
