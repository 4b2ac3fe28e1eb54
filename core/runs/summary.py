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
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError

from synth.config.flowfile import ModelSpec, Prices
from synth.errors import RunError
from synth.journal import StageRow
from synth.measure.collapse import Collapse
from synth.measure.gate import Decision
from synth.measure.growth import growth
from synth.rounds.curriculum import CURRICULUM, Mix
from synth.runs.cost import Tariff, ledger, worked
from synth.runs.diagnostics import trends
from synth.runs.excerpts import answers, kept_samples, rejections
from synth.runs.overview import (
    Drop,
    LossPoint,
    Pairs,
    Profile,
    RoundSummary,
    RunSummary,
    StageSummary,
    State,
)
from synth.runs.runfiles import JournalView, read_journal, read_json, read_lines, read_yaml

__all__ = ["summarize"]

LOSS_POINTS = 500
"""Points kept of a loss curve, evenly spaced."""


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
        generate_only=bool(flow.get("generate_only")),
        calls=sum(c.calls for c in journal.calls),
        prompt_tokens=sum(c.prompt_tokens for c in journal.calls),
        completion_tokens=sum(c.completion_tokens for c in journal.calls),
        seconds=sum(s.seconds or 0.0 for r in rounds for s in r.stages),
        forecast=growth(folder),
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
    learners, kept = kept_samples(path / "data" / "samples.jsonl", warnings)
    counts, rejected = rejections(path / "data" / "rejected.jsonl", warnings)
    before, after, changes = answers(path / "eval", warnings)
    return RoundSummary(
        number=number,
        plan=plan.root if plan else {},
        stages=_stages(number, rows, journal, state),
        profile=read_json(path / "profile.json", Profile, warnings),
        samples=learners.total(),
        learners=dict(learners),
        drops=_drops(rows, counts),
        **_curation(rows),
        pairs=next((Pairs.model_validate(r.info["lint"]) for r in rows if "lint" in r.info), None),
        stopped=next((str(r.info.get("stopped", "")) for r in rows if r.name == "train"), ""),
        loss=_thin(list(read_lines(path / "train" / "log.jsonl", LossPoint, warnings)), LOSS_POINTS),
        trends=trends(path / "train" / "log.jsonl"),
        before=before,
        after=after,
        decision=read_json(path / "gate.json", Decision, warnings),
        collapse=read_json(path / "collapse.json", Collapse, warnings),
        mix=read_json(path / CURRICULUM, Mix, warnings),
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


def _curation(rows: list[StageRow]) -> dict[str, Any]:
    """What the stage of that name noted of its steps and of the judge."""
    info = next((row.info for row in rows if row.name == "curate"), {})
    judge = info.get("judge") or {}
    return {"steps": info.get("steps") or {}, "judge": str(judge.get("verdict", ""))}


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
