"""Who wants memory of GPUs, and who has got how much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["Mode", "Placed", "Serving", "Sharing", "Training"]

Mode = Literal["side-by-side", "sleep", "turns"]


@dataclass(frozen=True)
class Serving:
    """One server, or several alike: what each takes of each of its GPUs, in bytes."""

    role: str
    """The first of the roles it plays."""
    title: str
    weights: float
    work: float
    """Context, graphs and buffers of the largest batch."""
    token: float
    """Of the cache, a token."""
    longest: int
    """Tokens of the longest text."""
    width: int = 1
    """GPUs of one server."""
    replicas: int = 1
    wanted: float | None = None
    """Share of a GPU that the flow file gives it."""
    changes: bool = False
    """Whether its weights are replaced after a training, and need not be kept."""

    @property
    def least(self) -> float:
        """Without this it does not start: vLLM wants room for one text of full length."""
        return self.weights + self.work + self.token * self.longest


@dataclass(frozen=True)
class Training:
    """What one training takes of each of its GPUs, in bytes."""

    role: str
    weights: float
    activations: float
    processes: int = 1
    own_share: float = 0.0
    """Share of the GPU that a vLLM inside the training takes."""
    said: str = ""
    """Its settings that decide this, in words."""

    def bytes(self, total: int, sure: float = 1.0) -> float:
        """Of a GPU that has so many in all; `sure` is the share of the activations that is counted."""
        return self.weights + sure * self.activations + self.own_share * total


@dataclass(frozen=True)
class Placed:
    """Where one server is: its GPUs, and the share of each that it may take."""

    gpus: tuple[str, ...]
    share: float


@dataclass(frozen=True)
class Sharing:
    """Who is where, and what becomes of the servers while something trains."""

    mode: Mode
    servers: Mapping[str, tuple[Placed, ...]]
    """First role of a server -> its replicas."""
    said: tuple[str, ...]
    """The same in words, a line each."""
