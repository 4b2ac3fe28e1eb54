"""A flow: a name, its typed parameters, and how one round's samples are generated."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from synth.errors import Problem
from synth.records import Sample, Seed

if TYPE_CHECKING:
    from synth.config import Loaded, Train
    from synth.config.objectives import Material
    from synth.engine.runner import Graph
    from synth.engine.session import Session
    from synth.plan import StagePlan, Survey

__all__ = ["NO_TRAINING", "Flow", "FlowParams", "PairFault"]

PairFault = Literal[
    "identical",
    "same-answer",
    "truncated",
    "leaked",
    "refused",
    "language",
    "lopsided",
    "reversed",
]
"""What may be wrong with a preference pair (`synth.curation.lint`): the answers are the same, come to the
same, were cut off, show marks of a template, the chosen one refuses, they are in different scripts or
languages, one is over three times as long, the rejected one has the better score."""


NO_TRAINING = "control-none"
"""The arm in which a round is two exams of the same student, whatever the flow."""


class FlowParams(BaseModel):
    """Base of a flow's own parameters (`with:` in the flow file): unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    arm: str = "fixed"
    """Which version of the method runs: as published, repaired, or a control."""
    examples: int | None = None
    """Most training examples a round may use, a learner each; a uniform subset is taken of more."""
    lint_drop: tuple[PairFault, ...] = ("identical",)
    """Faults of preference pairs that keep a pair out of the training set; all faults are counted."""


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
    delimiters: tuple[str, ...] = ()
    """Marks of its prompts that no answer should show; the lint of pairs looks for them."""
    check: Callable[[Loaded], list[Problem]] | None = None
    """What only the flow can know to be wrong with a flow file, such as settings that do not go together."""
    makes: Callable[[Any], dict[str, Material]] | None = None
    """From its parameters: role that learns -> what it is given, `answers` or `pairs`."""
    training: Callable[[Session], Train] | None = None
    """How the session's round trains, where rounds differ; by default the flow file's `train`."""
    citation: str = ""
    """The paper the method comes from, for the data card."""

    @classmethod
    def of(cls, name: str, graph: Graph, *, source: str = "pool", **rest: Any) -> Flow:
        """A flow of one graph: it runs once for each question of `data.<source>`, whose fields are those of
        the state's `seed.data`, and what it leaves in `samples` are the data. `rest` as of any flow."""

        async def generate(session: Session) -> Iterable[Sample]:
            questions = session.questions(source)
            seeds = [Seed(id=question.id, data=question.model_dump()) for question in questions]
            await session.run_stage("make", graph, seeds, total=len(seeds))
            return session.samples("make")

        given: dict[str, Any] = {
            "params": FlowParams,
            "sources": (source,),
            "graphs": lambda: {name: graph},
        }
        return cls(name=name, generate=generate, **(given | rest))
