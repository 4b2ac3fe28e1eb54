"""A lesson: one role learns from its part of a round's data, from the weights that answer for it now."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synth.config import Train
from synth.config.recipes import launch_file
from synth.curation import rows_file
from synth.engine.folder import lesson_folders
from synth.engine.replay import take_over, untrained
from synth.engine.session import Session
from synth.errors import BudgetExceeded, RunError, SynthError
from synth.progress import Stage
from synth.rounds.apart import check_apart
from synth.runs.recording import Recording
from synth.students.job import TrainJob, TrainResult
from synth.students.launch import train
from synth.teachers.team import Team

__all__ = ["Champion", "Champions", "learn", "training_of"]


@dataclass(frozen=True)
class Champion:
    """Who answers for a role: the base model, or the one a round trained and the gate let through."""

    round: int
    weights: str
    served: str
    folder: Path | None

    @property
    def title(self) -> str:
        """In words."""
        return "the base model" if self.round == 0 else f"the student of round {self.round}"


Champions = dict[str, Champion]
"""Role that learns -> who answers for it now."""


async def learn(
    session: Session, team: Team, role: str, champion: Champion, recording: Recording | None
) -> Champion:
    """The challenger: the champion after training on the role's rows of this round.

    A recorded training stands for it where the recorded run did the same. Raises `DataError` where a
    held-out question is among the rows, `TrainError`, and `RunError` where there is neither a
    recording of it nor a model to train.
    """
    check_apart(session, role)
    result = _recorded(session, team, role, champion, recording)
    if result is None:
        result = await _train(session, team, role, champion)
    return Champion(session.round, result.weights, f"{role}-{session.round}", result.output)


def training_of(session: Session, role: str) -> Train:
    """How a role learns in the session's round."""
    train = session.train if role == "student" else session.flow.learners[role]
    return train.model_copy(update={"learning_rate": train.learning_rate * session.pace})


def _recorded(
    session: Session, team: Team, role: str, champion: Champion, recording: Recording | None
) -> TrainResult | None:
    """The recorded training where the recorded run did the same, or None where there are models
    to do it with. Raises `RunError` where there are none."""
    if recording is None:
        return None
    folder, recorded = session.folder.round(session.round), recording.round(session.round)
    rows = rows_file(folder / "data", role).with_suffix(".jsonl")
    why = untrained(recorded, role, rows, training_of(session, role), champion.weights)
    if why and team.live:
        return None
    if why:
        raise RunError(
            f"the training of round {session.round} cannot be replayed: {why}; "
            f"the data for it are written, in {folder / 'data'}",
            recording.cure,
        )
    work, output = lesson_folders(role)
    result = TrainResult.model_validate_json(take_over(recorded, folder, role).read_bytes())
    result = result.model_copy(update={"output": folder / output})
    session.begin(work)
    session.finish(work, {**result.model_dump(mode="json"), "replayed": str(recorded)})
    return result


async def _train(session: Session, team: Team, role: str, champion: Champion) -> TrainResult:
    """Train the challenger in a process of its own, from the champion's weights."""
    folder = session.folder.round(session.round)
    work, output = lesson_folders(role)
    settings = training_of(session, role)
    whole = champion.folder if champion.folder and not settings.lora else team.folder(role)
    job = TrainJob(
        model=whole,
        data=rows_file(folder / "data", role),
        output=folder / output,
        work=folder / work,
        adapter=champion.folder if settings.lora else None,
        train=settings,
        name=session.flow.models[role].title,
        verifier=session.flow.evaluate.verifier,
        launch=launch_file(settings.launch, session.path),
    )
    session.check_budget()
    session.begin(work)
    if job.finished() is None:
        await team.rest()
    with session.progress.stage(session.round, work, None) as bar:
        try:
            result = await train(job, _follow(session, bar, settings.save_steps))
        except SynthError as error:
            status = "stopped" if isinstance(error, BudgetExceeded) else "failed"
            session.clock.leave()
            session.journal.set_stage(session.round, work, status, {"error": error.what})
            raise
    if result.stopped:
        session.progress.log(f"training of the {role} ended at step {result.steps}: {result.stopped}")
    session.finish(work, json.loads(result.model_dump_json()))
    return result


def _follow(session: Session, bar: Stage, save_steps: int) -> Callable[[dict[str, Any]], None]:
    """Shows each step of a training, and ends it where a budget is reached: with the first step
    after a checkpoint, which is whole by then, so that it goes on from there."""

    def step(line: dict[str, Any]) -> None:
        bar.loss(line)
        if line["step"] > save_steps and line["step"] % save_steps == 1 % save_steps:
            session.check_budget()

    return step
