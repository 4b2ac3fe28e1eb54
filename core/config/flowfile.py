"""The flow file as typed models: what may be written, with defaults and limits.

The YAML is read by `synth.config.load`; the JSON Schema and the reference page are made
from these classes. `with` belongs to the flow, which types it with a model of its own.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar

from pydantic import Field, ValidationInfo, field_validator, model_validator

from synth.config.curation import Curate
from synth.config.limits import Budget, ErrorBudget, OnError, Prices, TokenPrice
from synth.config.measure import CollapseRules, Evaluate, Gate, Guard
from synth.config.objectives import Dpo
from synth.config.roles import GpuUse, ModelSpec, Scratch, ServerOptions
from synth.config.sources import Curriculum, DataSource
from synth.config.strict import Strict
from synth.config.training import Lora, Train, WarmStart

__all__ = [
    "Budget",
    "CollapseRules",
    "Curate",
    "Curriculum",
    "DataSource",
    "Dpo",
    "ErrorBudget",
    "Evaluate",
    "FlowFile",
    "Gate",
    "Guard",
    "Lora",
    "ModelSpec",
    "OnError",
    "Prices",
    "Scratch",
    "ServerOptions",
    "Strict",
    "TokenPrice",
    "Train",
    "WarmStart",
]


_Section = TypeVar("_Section", Curate, CollapseRules)


class FlowFile(Strict):
    """One flow file, resolved: what `runs/<name>/flow.yaml` holds."""

    flow: str
    """A built-in flow's name, or `package.module:build`."""
    name: str | None = None
    """Name of the run; by default the flow file's."""
    seed: int = 0
    """Of all that is left to chance; training has a seed of its own under `train`."""
    rounds: Annotated[int, Field(gt=0)] = 1
    """How often to go round: measure, generate, train, measure, decide."""
    models: dict[str, ModelSpec]
    """Role -> who plays it. `student` is required where the flow trains one."""
    data: dict[str, DataSource] = Field(default_factory=dict)
    """Name -> questions or conversations. `test` decides about a new student; nothing is trained on it."""
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")
    """The flow's own parameters."""
    warm_start: WarmStart | None = None
    """What the student learns before round 1; the student so made is the base of all comparisons."""
    curriculum: Curriculum | None = None
    """Draw each round's questions from the pool's sources by how much they still teach."""
    train: Train = Train()
    """How the student learns."""
    learners: dict[str, Train] = Field(default_factory=dict)
    """Role -> how it learns, for further roles that a round trains beside the student."""
    evaluate: Evaluate = Evaluate()
    """How an answer is asked for and judged, in every exam alike."""
    gate: Gate = Gate()
    """What a new student has to show."""
    curate: Curate = Curate()
    """What is dropped or changed of a round's samples before the student learns from them."""
    collapse: CollapseRules = CollapseRules()
    """When a round's data are so uniform that the run ends before it trains on them."""
    gpu: GpuUse = GpuUse()
    """How the model servers and a training share the GPUs of this machine."""
    prices: Prices = Prices()
    """What calls and GPUs cost."""
    budget: Budget = Budget()
    """Where the run stops, to go on when it is raised."""
    on_error: OnError = "continue"
    """What failed records (calls without an answer, crashed nodes, unreadable replies) do to a
    stage: `stop` at the first, `continue` to the end, or `{budget: 5%}`. All are kept as rejections."""
    generate_only: bool = False
    """Make and curate the data, and end there: nobody is examined or trained, no gate decides. Neither
    `models.student` nor `data.test` is needed then, unless the flow itself asks them."""
    profiles: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Named overlays of this file, chosen with `--profile NAME`; `over: NAME` in one lays it over another."""

    @property
    def held_out(self) -> tuple[str, ...]:
        """Sources of this file that nothing is trained on, the one that must be kept cleanest first."""
        names = ("test", *(guard.data for guard in self.gate.guards.values()), "profile", "target")
        return tuple(name for name in dict.fromkeys(names) if name in self.data)

    @property
    def learning(self) -> dict[str, Lora | None]:
        """The roles that learn, the student first, and how each is adapted; None where all weights change."""
        if self.generate_only:
            return {}
        return {"student": self.train.lora, **{role: train.lora for role, train in self.learners.items()}}

    @field_validator("gate")
    @classmethod
    def _guards_have_data(cls, gate: Gate, info: ValidationInfo) -> Gate:
        sources: dict[str, DataSource] = info.data.get("data") or {}
        for name, guard in gate.guards.items():
            if guard.data in ("test", "pool"):
                raise ValueError(
                    f"the guard '{name}' watches data.{guard.data}; give it a source of its own under data"
                )
            if sources and guard.data not in sources:
                raise ValueError(f"there is no data.{guard.data}; name one of: {', '.join(sources)}")
            if sources and sources[guard.data].shape != "questions":
                raise ValueError(f"data.{guard.data} holds conversations; a guard asks questions")
        return gate

    @field_validator("prices")
    @classmethod
    def _priced_is_used(cls, prices: Prices, info: ValidationInfo) -> Prices:
        specs: dict[str, ModelSpec] = info.data.get("models") or {}
        known = [*specs, *(spec.title for spec in specs.values())]
        unknown = [name for name in prices.tokens if name not in known]
        if specs and unknown:
            named = ", ".join(dict.fromkeys(known))
            raise ValueError(
                f"'{unknown[0]}' is neither a role nor a model of this file; name one of: {named}"
            )
        return prices

    @field_validator("warm_start")
    @classmethod
    def _warmed_by_a_source(cls, warm: WarmStart | None, info: ValidationInfo) -> WarmStart | None:
        sources = info.data.get("data") or {}
        if warm is not None and sources and warm.data not in sources:
            raise ValueError(f"there is no data.{warm.data}; name one of: {', '.join(sources)}")
        return warm

    @field_validator("curriculum")
    @classmethod
    def _curriculum_has_data(cls, curriculum: Curriculum | None, info: ValidationInfo) -> Curriculum | None:
        sources: dict[str, DataSource] = info.data.get("data") or {}
        for name in (curriculum.data, curriculum.pool) if curriculum is not None and sources else ():
            if name not in sources:
                raise ValueError(f"there is no data.{name}; name one of: {', '.join(sources)}")
        return curriculum

    @field_validator("curate", "collapse")
    @classmethod
    def _embedders_embed(cls, section: _Section, info: ValidationInfo) -> _Section:
        specs: dict[str, ModelSpec] = info.data.get("models") or {}
        for role in [embedder.role for embedder in section.embedders] if specs else ():
            if role not in specs:
                raise ValueError(f"there is no models.{role}; add it, with 'api: embeddings'")
            if specs[role].kind != "program" and specs[role].api != "embeddings":
                raise ValueError(f"models.{role} writes text; give it 'api: embeddings'")
        return section

    @field_validator("curate")
    @classmethod
    def _askers_are_roles(cls, curate: Curate, info: ValidationInfo) -> Curate:
        specs: dict[str, ModelSpec] = info.data.get("models") or {}
        for role in curate.writers if specs else ():
            if role not in specs:
                raise ValueError(f"there is no models.{role}; name one of: {', '.join(specs)}")
        return curate

    @model_validator(mode="after")
    def _as_published(self) -> FlowFile:
        if self.with_.get("arm") == "faithful":
            object.__setattr__(self, "curate", self.curate.as_published())  # frozen from here on
        return self

    @field_validator("learners")
    @classmethod
    def _learners_are_roles(cls, learners: dict[str, Train], info: ValidationInfo) -> dict[str, Train]:
        specs: dict[str, ModelSpec] = info.data.get("models") or {}
        for role in learners:
            if role == "student":
                raise ValueError("the student's training stands under 'train'; name other roles here")
            if specs and (role not in specs or specs[role].kind != "local"):
                raise ValueError(f"'{role}' is no locally served role of this file; add it under models")
        return learners

    @field_validator("budget")
    @classmethod
    def _money_has_prices(cls, budget: Budget, info: ValidationInfo) -> Budget:
        prices = info.data.get("prices")
        if budget.money is not None and prices is not None and not prices.known:
            raise ValueError("a budget in money needs prices; write prices.tokens or prices.gpu_hour")
        return budget

    @field_validator("name")
    @classmethod
    def _folder_name(cls, name: str | None) -> str | None:
        if name is not None and (not name or name.startswith(".") or re.search(r"[/\\\x00-\x1f]", name)):
            raise ValueError("the run's folder bears this name; write one without slashes or a leading dot")
        return name
