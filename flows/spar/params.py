"""Parameters of SPaR, with the values of its paper and code (arXiv 2412.11605)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from synth.engine import FlowParams
from synth.engine.flow import PairFault
from synth.flows.spar.tree import Limits

__all__ = ["Fault", "Params"]

Fault = Literal["refuted", "edit-distance", "length-ratio", "unfinished"]
"""What may keep a pair from being right, minimal or whole (`synth.flows.spar.pairs`)."""


class Params(FlowParams):
    """What `with:` may hold in a SPaR flow file."""

    arm: Literal["faithful", "fixed", "control-independent", "control-no-tree", "control-rules"] = "fixed"
    """`faithful`: as published, lenient verdict parser and no lint of pairs. `fixed`: anchored parser,
    ties of actor responses judged again, pairs with a fault in `drop` left out. Controls are as
    `fixed` but for one thing: `control-independent` pairs two samples of the actor, judged right and
    wrong; `control-no-tree` refines once, without a search; `control-rules` judges by rules where
    a prompt's constraints can be checked. Without iteration: `rounds: 1` in the flow file."""

    prompts: int = Field(default=10_000, gt=0)
    """Prompts of a round (code). Each round takes the next ones, beginning anew at the source's end."""
    evolve: bool = True
    """Have the role `teacher` weave constraints into the prompts first. Off: they have some already."""
    taxonomy: str | None = None
    """A YAML file of constraint categories of one's own; by default the 14 of the paper."""
    more_constraints: int = Field(default=3, ge=0)
    """Constraints woven in beside the main one, at most (code: 1 to 3)."""
    evolve_temperature: float = Field(default=0.7, ge=0)
    """Code."""
    evolve_max_tokens: int = Field(default=2048, gt=0)
    """Not published."""

    responses: int = Field(default=5, gt=0)
    """Samples of the actor for each prompt (code)."""
    temperature: float = Field(default=0.9, ge=0)
    """Of the actor (code)."""
    top_p: float = Field(default=0.9, gt=0, le=1)
    """Of the actor (code)."""
    max_tokens: int = Field(default=2048, gt=0)
    """Longest response of the actor (code)."""

    judged_by: str = "refiner"
    """Role that judges: the refiner itself (paper), so that the judge learns as well, or one of its own."""
    votes: int = Field(default=5, gt=0)
    """Judgements of each response (code)."""
    judge_temperature: float = Field(default=0.7, ge=0)
    """Code."""
    judge_top_p: float = Field(default=1.0, gt=0, le=1)
    """Code."""
    judge_max_tokens: int = Field(default=2048, gt=0)
    """Longest judgement (code)."""
    rejudge: int = Field(default=3, ge=0)
    """Times a response without a majority is judged anew (code: in the search alone; the arm
    `fixed` does so with responses of the actor, too)."""

    search: Literal["bfs", "dfs"] = "bfs"
    """Order of the search: the published driver takes `bfs`, the class behind it defaults to `dfs`."""
    branch: int = Field(default=3, gt=0)
    """Refinements of one response (code)."""
    keep: int = Field(default=2, gt=0)
    """Best children that are refined further (code)."""
    depth: int = Field(default=3, gt=0)
    """Refinements in a row (code)."""
    budget: int = Field(default=1000, gt=0)
    """Refinements of one tree, at most (code; more than the defaults above can ask for)."""
    gate: float = Field(default=0.5, ge=0, lt=1)
    """A refinement has succeeded if more than this share of its judgements is Yes (code)."""
    refine_temperature: float = Field(default=0.7, ge=0)
    """Code."""
    refine_top_p: float = Field(default=1.0, gt=0, le=1)
    """Code."""
    refine_max_tokens: int = Field(default=3072, gt=0)
    """Longest refinement, reflection included (code)."""
    refine_attempts: int = Field(default=3, gt=0)
    """Attempts at a refinement that can be read, before its branch is skipped (code)."""

    drop: tuple[Fault, ...] = ("refuted", "edit-distance", "length-ratio", "unfinished")
    """Faults for which a pair is left out; all are counted. With `refuted` (the constraints can be checked,
    and the judge was wrong) and `unfinished` (the token limit cut it off), such responses are not picked
    at all, and the refiner does not learn verdicts and refinements that are refuted. Not in the paper:
    the faithful arm drops none."""
    lint_drop: tuple[PairFault, ...] = ("identical", "leaked")
    """Faults of the general lint of pairs for which a pair is left out. The faithful arm drops none."""
    max_edit: float = Field(default=0.5, gt=0, le=1)
    """Largest edit distance of a pair, as a share of the longer answer's characters. Not in the paper."""
    max_ratio: float = Field(default=2.0, ge=1)
    """Largest ratio of the two answers' lengths in characters. Not in the paper."""

    refine_cap: int = Field(default=4000, ge=0)
    """Refiner data: refinements that succeeded (code)."""
    critique_yes_cap: int = Field(default=1500, ge=0)
    """Refiner data: critiques of nodes with a value above 0.5 and below 1 (code)."""
    critique_no_cap: int = Field(default=1000, ge=0)
    """Refiner data: critiques of nodes with a value above 0 and below 0.5 (code)."""
    judge_no_cap: int = Field(default=500, ge=0)
    """Refiner data: contested No judgements of actor responses (code)."""
    judge_yes_cap: int = Field(default=2500, ge=0)
    """Refiner data: contested Yes judgements of actor responses (code)."""

    inference: int = Field(default=0, ge=0)
    """Held-out prompts that are also answered with the search, before a round trains; 0 for none."""

    @model_validator(mode="after")
    def _as_published(self) -> Params:
        if self.arm == "faithful" and "lint_drop" not in self.model_fields_set:
            object.__setattr__(self, "lint_drop", ())  # the model is frozen from here on
        return self

    @property
    def lenient(self) -> bool:
        """Whether verdicts are read as the published code reads them."""
        return self.arm == "faithful"

    @property
    def rejudge_actor(self) -> int:
        """As `rejudge`, for the actor's own responses: published, their ties are dropped at once."""
        return 0 if self.arm == "faithful" else self.rejudge

    @property
    def drops(self) -> tuple[Fault, ...]:
        """`drop` as the arm has it. Independent samples differ by their nature, so there only the
        edit distance is allowed to."""
        if self.arm == "faithful":
            return ()
        if self.arm == "control-independent":
            return tuple(fault for fault in self.drop if fault != "edit-distance")
        return self.drop

    @property
    def limits(self) -> Limits:
        """How far a tree grows; without a tree there is one refinement."""
        if self.arm == "control-no-tree":
            return Limits("bfs", branch=1, keep=1, depth=1, budget=1, gate=self.gate)
        return Limits(self.search, self.branch, self.keep, self.depth, self.budget, self.gate)

    @property
    def caps(self) -> dict[str, int]:
        """Kind of refiner data -> most samples a round."""
        return {
            "refine": self.refine_cap,
            "critique-yes": self.critique_yes_cap,
            "critique-no": self.critique_no_cap,
            "judge-no": self.judge_no_cap,
            "judge-yes": self.judge_yes_cap,
        }
