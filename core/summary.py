"""A run folder in one value: what `synth status` prints and the report is made from.

Reads only what is there, so a run in the middle or one that crashed has a summary too.
The journal is opened read-only; nothing in the folder is changed.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError

from synth.collapse import Collapse
from synth.config.flowfile import ModelSpec, Prices
from synth.cost import Ledger, Tariff, ledger, worked
from synth.errors import RunError
from synth.excerpts import AnswerChange, Excerpt, Score, answers, kept_samples, rejections
from synth.gate import Decision
from synth.journal import StageRow
from synth.runfiles import JournalView, Part, read_journal, read_json, read_lines, read_yaml
from synth.stats import Interval

__all__ = [
    "AnswerChange",
    "Drop",
    "Excerpt",
    "LossPoint",
    "Pairs",
    "Profile",
    "RoundSummary",
    "RunSummary",
    "Score",
    "Skill",
    "StageSummary",
    "summarize",
]

LOSS_POINTS = 500
"""Points kept of a loss curve, evenly spaced."""

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


class RoundSummary(Part):
    """One round, as far as it got."""

    number: int
    plan: dict[str, Any] = Field(default_factory=dict)
    stages: list[StageSummary] = Field(default_factory=list)
    profile: Profile | None = None
    samples: int = 0
    """Training samples written."""
    drops: list[Drop] = Field(default_factory=list)
    """Most frequent first."""
    pairs: Pairs | None = None
    stopped: str = ""
    """Why training ended before its last step, if it did."""
    loss: list[LossPoint] = Field(default_factory=list)
    before: Score | None = None
    after: Score | None = None
    decision: Decision | None = None
    collapse: Collapse | None = None
    kept: list[Excerpt] = Field(default_factory=list)
    rejected: list[Excerpt] = Field(default_factory=list)
    answers: list[AnswerChange] = Field(default_factory=list)


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
    calls: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    """Sum of the stages' times."""
    cost: Ledger = Ledger()
    """Calls, tokens, GPU time and money by round, stage and agent."""
    warnings: list[str] = Field(default_factory=list)
    """Files that are there but could not be read."""


def summarize(folder: Path) -> RunSummary:
    """Read a run folder, however far the run got.

    Raises:
        RunError: the folder holds no run, or its journal is damaged.
    """
    if not (folder / "flow.yaml").is_file() and not (folder / "journal.db").is_file():
        raise RunError(
            f"reading the run in {folder}: there is neither a flow.yaml nor a journal.db",
            "Name a folder that `synth run` made, such as runs/NAME.",
        )
    warnings: list[str] = []
    flow = read_yaml(folder / "flow.yaml", warnings)
    journal = read_journal(folder / "journal.db")
    state = _state(journal.meta)
    paths = (folder / "rounds").glob("[0-9]*")
    numbers = {row.round for row in journal.stages} | {int(p.name) for p in paths if p.name.isdecimal()}
    rounds = [_round(folder / "rounds" / str(n), n, journal, state, warnings) for n in sorted(numbers)]
    arms = [str(r.plan["arm"]) for r in rounds if r.plan.get("arm")]
    promoted = [r.number for r in rounds if r.decision and r.decision.decision == "promote"]
    return RunSummary(
        folder=folder,
        name=str(journal.meta.get("name") or flow.get("name") or folder.resolve().name),
        flow=str(flow.get("flow", "")),
        arm=arms[-1] if arms else str((flow.get("with") or {}).get("arm", "")),
        state=state,
        created=_date(journal.meta.get("created", "")),
        version=journal.meta.get("version", ""),
        rounds_planned=int(flow.get("rounds", 1)),
        rounds=rounds,
        champion=f"student of round {promoted[-1]}" if promoted else "base",
        calls=sum(c.calls for c in journal.calls),
        prompt_tokens=sum(c.prompt_tokens for c in journal.calls),
        completion_tokens=sum(c.completion_tokens for c in journal.calls),
        seconds=sum(s.seconds or 0.0 for r in rounds for s in r.stages),
        cost=ledger(journal, _tariff(flow, journal, warnings), sum(r.samples for r in rounds)),
        warnings=warnings,
    )


class _Priced(BaseModel):
    """The parts of a resolved flow file that a bill needs."""

    model_config = ConfigDict(extra="ignore")

    prices: Prices = Prices()
    models: dict[str, ModelSpec] = Field(default_factory=dict)


def _tariff(flow: dict[str, Any], journal: JournalView, warnings: list[str]) -> Tariff:
    """The run's prices, and the GPUs it noted; without prices where the flow file cannot be read."""
    try:
        priced = _Priced.model_validate(flow)
    except ValidationError as error:
        warnings.append(f"flow.yaml: {error.errors(include_url=False)[0]['msg']}")
        priced = _Priced()
    return Tariff.of(priced.prices, priced.models, int(journal.meta.get("gpus", "0")))


def _state(meta: dict[str, str]) -> State:
    """The state the run noted itself; one that runs without a process was stopped."""
    noted = meta.get("state", "")
    if noted == "running":
        return "running" if _alive(meta.get("pid", "")) else "stopped"
    return noted if noted in ("finished", "failed") else "stopped"  # type: ignore[return-value]


def _date(noted: str) -> str:
    """Unix seconds as a date; what is none stays as it is."""
    try:
        return f"{datetime.fromtimestamp(float(noted), UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError, OSError):
        return noted


def _alive(pid: str) -> bool:
    """Whether a process with this id exists on this machine."""
    if not pid.isdecimal() or int(pid) == 0:
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _round(path: Path, number: int, journal: JournalView, state: State, warnings: list[str]) -> RoundSummary:
    """What is in one round's folder, and its rows of the journal."""
    plan = read_json(path / "plan.json", RootModel[dict[str, Any]], warnings)
    rows = [row for row in journal.stages if row.round == number]
    samples, kept = kept_samples(path / "data" / "samples.jsonl", warnings)
    counts, rejected = rejections(path / "data" / "rejected.jsonl", warnings)
    before, after, changes = answers(path / "eval", warnings)
    return RoundSummary(
        number=number,
        plan=plan.root if plan else {},
        stages=_stages(number, rows, journal, state),
        profile=read_json(path / "profile.json", Profile, warnings),
        samples=samples,
        drops=_drops(rows, counts),
        pairs=next((Pairs.model_validate(r.info["lint"]) for r in rows if "lint" in r.info), None),
        stopped=next((str(r.info.get("stopped", "")) for r in rows if r.name == "train"), ""),
        loss=_thin(list(read_lines(path / "train" / "log.jsonl", LossPoint, warnings)), LOSS_POINTS),
        before=before,
        after=after,
        decision=read_json(path / "gate.json", Decision, warnings),
        collapse=read_json(path / "collapse.json", Collapse, warnings),
        kept=kept,
        rejected=rejected,
        answers=changes,
    )


def _stages(number: int, rows: list[StageRow], journal: JournalView, state: State) -> list[StageSummary]:
    """The round's stages in the order they began. A stage still at work has its counts
    from the results stored so far."""
    stages = []
    for row in rows:
        key = f"{number}/{row.name}"
        running = row.status == "running"
        seconds = worked(journal, row)
        if seconds is None and state == "running":
            seconds = max(0.0, time.time() - row.started)
        seeds, kept, rejected = journal.results.get(key, (None, None, None))
        calls = [c for c in journal.calls if c.stage == key]
        stages.append(
            StageSummary(
                name=row.name,
                status="stopped" if running and state != "running" else row.status,
                seconds=seconds,
                items=row.info.get("items", seeds),
                kept=row.info.get("kept", kept),
                rejected=row.info.get("rejected", rejected),
                calls=sum(c.calls for c in calls),
                prompt_tokens=sum(c.prompt_tokens for c in calls),
                completion_tokens=sum(c.completion_tokens for c in calls),
                call_seconds=sum(c.seconds for c in calls),
                error=str(row.info.get("error", "")),
            )
        )
    return stages


def _drops(rows: list[StageRow], written: Counter[tuple[str, str]]) -> list[Drop]:
    """Counts by stage and reason: what the stages noted, or what the file of rejections
    holds if that is more (the two overlap and either may be behind)."""
    noted: Counter[tuple[str, str]] = Counter()
    for row in rows:
        noted.update({(row.name, reason): n for reason, n in row.info.get("reasons", {}).items()})
    most = (noted | written).most_common()
    return [Drop(stage=stage, reason=reason, count=n) for (stage, reason), n in most]


def _thin(curve: list[LossPoint], limit: int) -> list[LossPoint]:
    """At most `limit` points of a curve, evenly spaced, with its first and last."""
    if len(curve) <= limit:
        return curve
    return [curve[round(i * (len(curve) - 1) / (limit - 1))] for i in range(limit)]
