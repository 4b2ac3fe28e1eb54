"""What a flow covered, as it wrote it to `rounds/N/coverage.json`: a tree of skills and types."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from synth.runs.runfiles import Part, read_json

__all__ = ["Coverage", "Covered", "CoveredSkill", "read_coverage"]


class Covered(Part):
    """Counts of one type of task, or of a skill with all its types. `near_duplicates`, `yield_` and
    `difficulty` (what the student did not solve) are shares, `words` the mean length of an answer."""

    kept: int = 0
    rejected: int = 0
    yield_: float | None = Field(default=None, alias="yield")
    refined: int = 0
    near_duplicates: float = 0.0
    words: float = 0.0
    difficulty: float | None = None
    reasons: dict[str, int] = Field(default_factory=dict)


class CoveredSkill(Covered):
    """A skill. `entropy` is the evenness over its types: 1 where all come equally often."""

    entropy: float = 0.0
    transformations: dict[str, int] = Field(default_factory=dict)
    types: dict[str, Covered] = Field(default_factory=dict)


class Coverage(Covered):
    """Everything a round made."""

    entropy: float = 0.0
    skills: dict[str, CoveredSkill] = Field(default_factory=dict)


def read_coverage(round_folder: Path) -> Coverage | None:
    """The coverage of a round, if its flow wrote one that can be read."""
    return read_json(round_folder / "coverage.json", Coverage, [])
