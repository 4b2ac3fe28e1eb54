"""A flow: a name, its typed parameters, and how one round's samples are generated."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from synth.records import Sample

if TYPE_CHECKING:
    from synth.engine.session import Session
    from synth.plan import StagePlan, Survey

__all__ = ["Flow", "FlowParams"]


class FlowParams(BaseModel):
    """Base of a flow's own parameters (`with:` in the flow file): unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    arm: str = "fixed"
    """Which version of the method runs: as published, repaired, or a control."""
    examples: int | None = None
    """Most training examples a round may use; a uniform subset is taken when more were made."""


@dataclass(frozen=True)
class Flow:
    """What a flow module's `build` returns.

    `generate` runs the method's stages on the session (each a LangGraph graph over seeds)
    and returns the samples of this round, in a stable order; it may be called again after
    a crash and must then come to the same samples. `roles` are the models it needs and
    `sources` the data sets, by the names used in the flow file.
    """

    name: str
    params: type[FlowParams]
    generate: Callable[[Session], Awaitable[Iterable[Sample]]]
    roles: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    graphs: Callable[[], dict[str, Any]] = dict
    """Name -> compiled graph, for drawing."""
    plan: Callable[[Survey], list[StagePlan]] | None = None
    """How the stages of one round multiply, for `synth plan`."""
    citation: str = ""
    """The paper the method comes from, for the data card."""
