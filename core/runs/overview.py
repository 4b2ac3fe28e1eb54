"""What a run's summary is made of: one model for each thing that status and report show."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from synth.measure.collapse import Collapse
from synth.measure.forecast import Forecast
from synth.measure.gate import Decision
from synth.measure.stats import Interval
from synth.rounds.curriculum import Mix
from synth.runs.cost import Ledger
from synth.runs.diagnostics import Trend
from synth.runs.excerpts import AnswerChange, Excerpt, Score
from synth.runs.runfiles import Part

__all__ = [
    "CurationStep",
    "Drop",
    "LossPoint",
    "Pairs",
    "Profile",
    "RoundSummary",
    "RunSummary",
    "Skill",
    "SkillBefore",
    "StageSummary",
    "State",
]

State = Literal["running", "finished", "failed", "stopped"]


class StageSummary(Part):
    """One stage of a round: its counts and its model calls."""

    name: str
    status: str
    """`running`, `done`, `failed`, or `stopped`: it was running when the run ended."""
    seconds: float | None = None
    """Time at work over all its starts; unknown for one of an older run that was stopped."""
    items: int | None = None
    kept: int | None = None
    rejected: int | None = None
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    call_seconds: float = 0.0
    """Time spent in calls; many run at once, so this may exceed `seconds`."""
    error: str = ""
    """What a failed stage failed of, as far as it said."""


class Drop(Part):
    """How many records one stage refused for one reason."""

    stage: str
    reason: str
    count: int


class SkillBefore(Part):
    """A skill in an earlier round's profile."""

    round: int
    asked: int
    difficult: int
    missing: int


class Skill(Part):
    """One row of the Missing-Skill-Profile."""

    skill: str
    asked: int
    """Profile questions that need this skill."""
    difficult: int
    """Those among them the student could not do."""
    missing: int
    """How often the teacher named it as missing."""
    share: float
    """Its share of all missing labels, 0..1."""
    low: float
    """Wilson interval of difficult / asked."""
    high: float
    draws: int = 0
    """Training questions drawn for it."""
    earlier: list[SkillBefore] = Field(default_factory=list)
    """The same in the rounds before, oldest first."""

    @property
    def interval(self) -> Interval:
        """Of the share the student could not do."""
        return Interval(self.low, self.high)


class Profile(Part):
    """What the student cannot do yet, by skill."""

    asked: int
    difficult: int
    skills: list[Skill]


class LossPoint(Part):
    """One line of the training log."""

    step: int
    loss: float
    epoch: float | None = None
    tokens: float | None = None
    seconds: float | None = None
    margin: float | None = None
    """Of preference training: by how much the chosen answer is preferred, beta times log-probabilities."""
    accuracy: float | None = None
    """Share of the step's pairs whose chosen answer is preferred."""


class Pairs(Part):
    """What the lint found in a round's preference pairs, those dropped among them."""

    pairs: int
    found: dict[str, int] = Field(default_factory=dict)
    """Fault -> pairs that have it."""
    edit_distance: float
    """Mean share of characters to change to come from one answer to the other."""
    length_ratio: float
    """Geometric mean, chosen to rejected."""
    margin: float | None = None
    """Mean difference of the answers' scores, where they have some."""


class CurationStep(Part):
    """What one step of curation did with the samples that came to it."""

    seen: int
    kept: int
    changed: int = 0
    dropped: dict[str, int] = Field(default_factory=dict)
    """Reason -> samples."""


class RoundSummary(Part):
    """One round, as far as it got."""

    number: int
    plan: dict[str, Any] = Field(default_factory=dict)
    stages: list[StageSummary] = Field(default_factory=list)
    profile: Profile | None = None
    samples: int = 0
    """Training samples written."""
    learners: dict[str, int] = Field(default_factory=dict)
    """The same by the role that learns from them."""
    drops: list[Drop] = Field(default_factory=list)
    """Most frequent first."""
    steps: dict[str, CurationStep] = Field(default_factory=dict)
    """Curation, step by step in their order."""
    judge: str = ""
    """What the judge's calibration came to, if there is one."""
    pairs: Pairs | None = None
    stopped: str = ""
    """Why training ended before its last step, if it did."""
    loss: list[LossPoint] = Field(default_factory=list)
    trends: list[Trend] = Field(default_factory=list)
    """Of preference training: what its pairs still pull."""
    before: Score | None = None
    after: Score | None = None
    decision: Decision | None = None
    collapse: Collapse | None = None
    mix: Mix | None = None
    """What the round drew from, under a curriculum."""
    kept: list[Excerpt] = Field(default_factory=list)
    rejected: list[Excerpt] = Field(default_factory=list)
    answers: list[AnswerChange] = Field(default_factory=list)

    @property
    def dropped(self) -> int:
        """Records refused, by all stages."""
        return sum(drop.count for drop in self.drops)


class RunSummary(Part):
    """One run, as far as it got."""

    folder: Path
    name: str
    flow: str
    arm: str
    state: State
    """`stopped` also for a run whose process is gone without a word."""
    created: str = ""
    """Day and time, UTC."""
    version: str = ""
    rounds_planned: int = 1
    rounds: list[RoundSummary]
    champion: str
    """`base`, or `student of round N`."""
    generate_only: bool = False
    """Whether making data is all that is wanted: nobody is trained or compared."""
    calls: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    """Sum of the stages' times."""
    cost: Ledger = Ledger()
    """Calls, tokens, GPU time and money by round, stage and agent."""
    forecast: Forecast | None = None
    """What more data would bring, by the rounds so far; None with fewer than three sizes."""
    warnings: list[str] = Field(default_factory=list)
    """Files that are there but could not be read."""
