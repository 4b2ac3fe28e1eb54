"""Parameters of STAT, with the paper's values where it gives them (arXiv 2510.10023)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from synth.engine import FlowParams

__all__ = ["Params"]


class Params(FlowParams):
    """What `with:` may hold in a STAT flow file."""

    arm: Literal["faithful", "fixed", "control-uniform", "control-shuffled", "control-format"] = "fixed"
    """`faithful`: as published, without replay. `fixed`: with replay, and questions that copy a
    reference are dropped. `control-uniform`: skills drawn uniformly instead of by the profile.
    `control-shuffled`: the missing-skill labels swapped among the failed questions.
    `control-format`: answers swapped among the questions of a family."""
    mode: Literal["sel", "syn"] = "syn"
    """`sel` draws training questions from the pool, `syn` has the teacher write new ones."""
    draws: int = Field(default=5, gt=0)
    """Training questions for each (failed question, missing skill): 5 in STAT-Sel, 2 in STAT-Syn."""
    references: int = Field(default=3, gt=0)
    """Pool questions shown to the teacher who writes a new one."""
    solutions: int = Field(default=3, gt=0)
    """Independent solutions of a new question."""
    agreement: int = Field(default=2, gt=0)
    """How many of them must come to the same answer."""
    most_skills: int = Field(default=5, gt=0)
    """Skills the teacher may name for one failed question."""
    examples: int = Field(default=9500, gt=0)
    """Training examples, replay included; a uniform subset is taken when more were made."""
    replay: float = Field(default=0.5, ge=0, lt=1)
    """Share of the examples drawn from the pool without regard to the profile. Not in the
    paper: without it a small student loses skills it had. The faithful arm has none."""
    temperature: float = Field(default=0.7, ge=0)
    """Of the teacher's new questions and solutions."""
    max_tokens: int = Field(default=1024, gt=0)
    """Longest answer of the teacher."""

    @property
    def replay_share(self) -> float:
        """Replay as the arm has it."""
        return 0.0 if self.arm == "faithful" else self.replay
