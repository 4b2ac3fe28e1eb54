"""What a graph's nodes are given at run time: models, parameters, and a place to note calls."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from synth.chat import Chat
from synth.records import Call, Lineage, Message, Sample

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

    def sample(self, prompt: str | Sequence[Message], answer: str, **rest: Any) -> Sample:
        """A training example of this seed, with its lineage; text alone is a user's turn."""
        return Sample.sft(_turns(prompt), answer, **self._origin(), **rest)

    def pair(self, prompt: str | Sequence[Message], chosen: str, rejected: str, **rest: Any) -> Sample:
        """A preference pair of this seed, with its lineage."""
        return Sample.pair(_turns(prompt), chosen, rejected, **self._origin(), **rest)

    def _origin(self) -> dict[str, Any]:
        return {
            "seed_id": self.seed_id,
            "flow": self.flow,
            "arm": self.arm,
            "round": self.round,
            "lineage": self.lineage(self.seed_id),
        }


def _turns(prompt: str | Sequence[Message]) -> list[Message]:
    return [{"role": "user", "content": prompt}] if isinstance(prompt, str) else list(prompt)
