"""Parameters of DRIFT, with the values of the paper's code where it has them (arXiv 2510.02341)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from synth.engine import FlowParams

__all__ = ["Params"]


class Params(FlowParams):
    """What `with:` may hold in a DRIFT flow file."""

    arm: Literal[
        "faithful",
        "fixed",
        "control-shuffled",
        "control-unguided",
        "control-random",
        "control-spin",
        "control-iterdpo",
        "control-none",
    ] = "fixed"
    """`faithful`: as the published code does it: a plain-text prompt cut at its end, one sample, whatever
    stands after the last mark. `fixed`: the chat template, history cut at its beginning, the first of
    several samples that is fit to be learnt. The controls are the fixed arm with one thing changed:
    `control-shuffled`: someone else's complaint; `control-unguided`: no complaint; `control-random`: no
    complaint, and who was displeased drawn by lot from replies that pass the same checks;
    `control-spin`: a reply that pleased against one of the student's own; `control-iterdpo`: two of the
    student's own, ranked. `control-none`: no training; the student is examined twice."""
    detect: Literal["tags", "rubric", "simulator"] = "simulator"
    """How dissatisfaction is found: `tags` in the data (as in the paper, whose data are tagged),
    `rubric`: an agent reads the conversations, `simulator`: a simulated user complains where the
    student's reply to a prompt misses one of its checkable constraints."""
    repairs_first: bool = True
    """The first round is a warm start on repairs alone: a reply that displeased against the revised
    one that pleased. The paper has 491 of them. Without it every round is an iteration."""
    repair_epochs: float = Field(default=3.0, gt=0)
    """Epochs of the warm start; an iteration takes those of `train`, one in the paper."""
    samples: int = Field(default=4, gt=0)
    """Replies drawn, at most, until one is fit to be chosen. Not in the paper: its code, and the faithful
    arm, draw one and take it as it is."""
    temperature: float = Field(default=0.7, ge=0)
    """Of the student's replies, in every stage."""
    top_p: float = Field(default=0.9, gt=0, le=1)
    """Of the student's replies, in every stage."""
    max_tokens: int = Field(default=512, gt=0)
    """Longest reply of the student, in tokens."""
    max_prompt: int = Field(default=2048, gt=0)
    """Longest prompt with a complaint in view, in tokens; what is longer is cut."""
    rubric_prompt: int = Field(default=6000, gt=0)
    """Longest conversation the rubric agent is shown, in tokens; a longer one is left out."""
    rubric_tokens: int = Field(default=1024, gt=0)
    """Longest answer of the rubric agent and of the judge, in tokens."""

    @model_validator(mode="after")
    def _published_without_filter(self) -> Params:
        """The faithful arm drops no pair, unless the flow file says so itself."""
        if self.arm == "faithful" and "lint_drop" not in self.model_fields_set:
            object.__setattr__(self, "lint_drop", ())  # the model is frozen from here on
        return self
