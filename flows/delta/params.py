"""Parameters of Delta Learning, with the paper's values where it gives them (arXiv 2507.06187)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from synth.engine import FlowParams

__all__ = ["Params"]


class Params(FlowParams):
    """What `with:` may hold in a Delta Learning flow file."""

    arm: Literal[
        "faithful",
        "fixed",
        "control-tied",
        "control-reversed",
        "control-length-matched",
        "control-sft",
        "control-none",
    ] = "fixed"
    """`faithful`: as published, every pair, cut-off answers taught as finished ones. `fixed`: a cut-off
    answer is given no end, and pairs of identical answers or with an empty one are dropped. The controls
    treat answers likewise. `control-tied`: two independent answers of the chosen role, in an order by lot.
    `control-reversed`: the pair the other way round. `control-length-matched`: only pairs of nearly equal
    length. `control-sft`: the chosen answers alone, by supervised training. `control-none`: no training,
    the same student examined twice."""
    chosen: str = "strong"
    """Role whose answers are preferred: in the paper the larger model of the pair, Qwen2.5-3B-Instruct
    in its best recipe. `student` makes it self-improvement."""
    rejected: str = "weak"
    """Role whose answers are avoided: the smaller model, Qwen2.5-1.5B-Instruct in the best recipe."""
    ladder: tuple[str, ...] = ()
    """Further roles that answer every prompt. Their answers are measured and not taught, and a run that
    replays this one can pair any two of them."""
    max_tokens: int = Field(default=2048, gt=0)
    """Longest answer, in tokens; 2048 in the authors' code."""
    temperature: float = Field(default=0.0, ge=0)
    """Of all answers; greedy in the authors' code."""
    tied_temperature: float = Field(default=1.0, ge=0)
    """Of both answers in `control-tied`, where two greedy answers would be one. Not in the paper, whose
    tied pairs are two texts of three sections."""
    length_ratio: float = Field(default=1.1, ge=1)
    """Longer answer over the shorter one, in characters, at most, in `control-length-matched`. Not in
    the paper."""
    unusual_beta: bool = False
    """Allow a length-normalised beta below 1, or one above 1 without normalisation. The two kinds of
    loss differ by the length of an answer: the paper has 5 to 10, ordinary DPO 0.1."""
    examples: int = Field(default=150_000, gt=0)
    """Most pairs of a round: 150,000 in the best recipe, 100,000 in the ladder, 50,000 in
    self-improvement, 16,384 in the sections experiment."""

    @model_validator(mode="after")
    def _published_without_filter(self) -> Params:
        """The faithful arm drops no pair, unless the flow file says so itself."""
        if self.arm == "faithful" and "lint_drop" not in self.model_fields_set:
            object.__setattr__(self, "lint_drop", ())  # the model is frozen from here on
        return self

    @property
    def second(self) -> str:
        """Role of the other answer: in the tied control the same role again."""
        return self.chosen if self.arm == "control-tied" else self.rejected
