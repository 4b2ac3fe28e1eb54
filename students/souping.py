"""What a process that averages students, or restores layers of one, is asked and answers."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from synth.students.job import Job

__all__ = ["Part", "Restore", "SoupJob", "SoupResult", "Tried"]


class Part(BaseModel):
    """One student: whole weights, or an adapter on its base."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Path
    adapter: Path | None = None
    title: str = ""
    """What the card calls it."""


class Restore(BaseModel):
    """Selective Layer Restoration (arXiv 2602.06665): layers from before the post-training."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pretrained: Path
    """Folder of that model."""
    layers: tuple[int, int] | None = None
    """First and last layer, from 0; left out, those that the proxy task finds best."""
    tolerance: float = Field(default=0.05, ge=0, le=1)
    """Validity that may be lost for more diversity, a share of probability mass."""


class SoupJob(Job):
    """Students to be averaged into one model, and what is done with that."""

    parts: tuple[Part, ...] = Field(min_length=1)
    restore: Restore | None = None

    @model_validator(mode="after")
    def _does_something(self) -> SoupJob:
        if len(self.parts) < 2 and self.restore is None:
            raise ValueError("one student alone is no soup; name another, or layers to restore")
        return self


class Tried(BaseModel):
    """A range of layers on the proxy task; -1 to -1 is the student as it was."""

    first: int
    last: int
    validity: float
    """Probability mass on the characters asked for."""
    diversity: float
    """Entropy within them, a share of the most there can be."""


class SoupResult(BaseModel):
    """What a finished process says."""

    output: Path
    weights: str
    """SHA-256 of the weights, as of `cat *.safetensors | sha256sum`."""
    restored: tuple[int, int] | None = None
    front: list[Tried] = Field(default_factory=list)
    """The ranges that none beats in both, and the student as it was first."""
