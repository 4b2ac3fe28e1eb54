"""A small flow's parameters, standing in for the built-in flows', and types of the fixtures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from pydantic import BaseModel, Field

from synth.config import Loaded, Strict
from synth.errors import Problem


class Params(Strict):
    """Parameters of a flow named `stat`."""

    arm: Literal["faithful", "fixed", "shuffled"] = "fixed"
    """Which variant of the method runs."""
    questions_per_skill: int = Field(default=5, gt=0)
    margin: float = 0.5
    refine: Literal["on", "off"] = "off"
    steps: int | Literal["auto"] = "auto"
    skills: tuple[str, ...] = ()


class Needy(Strict):
    """Parameters of a flow named `spar`, one of which has no default."""

    depth: int


FLOWS: dict[str, type[BaseModel]] = {"stat": Params, "spar": Needy}


def params_of(flow: str) -> type[BaseModel]:
    """What the command line hands to `load_flow`."""
    if ":" in flow:
        raise ImportError(f"No module named '{flow.partition(':')[0]}'")
    if flow not in FLOWS:
        raise LookupError(list(FLOWS))
    return FLOWS[flow]


Load = Callable[..., Loaded]
Faults = Callable[..., list[Problem]]
