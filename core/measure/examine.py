"""An exam of one model alone: a flow file's held-out items, put and judged as a run would."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import Field

from synth.config import FlowFile, Loaded
from synth.engine.flow import FlowParams
from synth.engine.folder import RunFolder
from synth.engine.session import Session
from synth.errors import DataError, RunError, SynthError
from synth.figures import level
from synth.flows.answering import exam_graph, question_seeds
from synth.journal import Journal
from synth.measure.change import Metric, standing
from synth.measure.examinee import Examinee
from synth.measure.stats import Interval
from synth.probe import unlimited
from synth.progress import Progress
from synth.records import Judged, Seed
from synth.rounds.prepare import prepare_folders
from synth.runs.runfiles import Part
from synth.teachers.models import weights_version
from synth.teachers.team import Team

__all__ = ["Exam", "FamilyLevel", "examine", "slug"]

STAGE = "exam"


class FamilyLevel(Part):
    """How one family went."""

    family: str
    n: int
    value: float


class Exam(Part):
    """What came of an exam. Shares are 0..1, intervals 95 %; under `score` means in the verifier's unit."""

    model: str
    source: str
    verifier: str
    metric: Metric
    n: int
    value: float
    interval: Interval
    accuracy: float
    strict_accuracy: float
    score: float
    families: list[FamilyLevel] = Field(default_factory=list)
    file: Path
    """The `Judged` records, one a line."""

    @property
    def said(self) -> str:
        """In one line."""
        low, high = (level(end, self.metric) for end in (self.interval.low, self.interval.high))
        value = level(self.value, self.metric)
        return f"{self.model}: {value} of {self.n} items ({low} to {high}), {self.metric}"


def slug(who: Examinee, source: str, flow: Path) -> str:
    """A folder's name for this exam."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", f"{who.title}-{flow.stem}-{source}").strip("-")


async def examine(loaded: Loaded, who: Examinee, source: str, target: Path, progress: Progress) -> Exam:
    """Put the items of the data source `source` to a model; answers and verdicts stay in `target`.

    Begun again, it goes on where it stopped. Raises `SynthError` where the model cannot be had or
    items stay without an answer, `RunError` where `target` holds another exam.
    """
    assert isinstance(loaded.params, FlowParams)
    flow, folder = _flow(loaded, who, source), RunFolder(target)
    folder.open()
    try:
        _settle(folder, _settings(flow, who, source))
        journal = Journal(folder.journal)
        try:
            session = Session(flow, loaded.params, folder, journal, {}, progress, loaded.path, round=0)
            return _result(await _sit(session, who, source), session, who, source)
        finally:
            journal.close()
    finally:
        folder.close()


def _flow(loaded: Loaded, who: Examinee, source: str) -> FlowFile:
    """The flow file with this model alone, to be spent on without limit."""
    data, student = loaded.flow.data, loaded.flow.models.get("student")
    if source not in data:
        known = ", ".join(f"data.{name}" for name in data) or "none"
        raise DataError(f"{loaded.path} has no data.{source}; it has {known}", "name one of them with --test")
    spec = who.spec.model_copy(update={"server": student.server}) if student else who.spec
    alone = {"models": {"student": spec}, "learners": {}, "warm_start": None}
    return unlimited(loaded.flow).model_copy(update=alone)


def _settle(folder: RunFolder, settings: dict[str, Any]) -> None:
    """Note the settings, or check that they are those this exam was begun with."""
    try:
        folder.settle(settings)
    except RunError as error:
        raise RunError(error.what, "name another folder with --to") from error


def _settings(flow: FlowFile, who: Examinee, source: str) -> dict[str, Any]:
    """What makes this exam the one it is."""
    spec = flow.models["student"]
    folder = Path(str(spec.model)) if spec.kind == "local" else None
    return {
        "model": spec.model_dump(mode="json", include={"model", "base_url", "program"}),
        "weights": weights_version(folder) if folder and folder.is_dir() else "",
        "adapter": who.version,
        "items": flow.data[source].model_dump(mode="json"),
        "evaluate": flow.evaluate.model_dump(mode="json"),
    }


async def _sit(session: Session, who: Examinee, source: str) -> list[Judged]:
    """All items answered and judged; an exam that is done asks nobody."""
    seeds = question_seeds(session.questions(source))
    row = session.journal.stage(session.round, STAGE)
    if row is None or row.status != "done":
        await _ask(session, who, seeds)
    judged = [Judged.model_validate(result.output) for result in session.results(STAGE) if result.output]
    if not judged or len(judged) < len(seeds):
        session.journal.set_stage(session.round, STAGE, "failed", {})
        raise SynthError(
            f"{len(seeds) - len(judged)} of {len(seeds)} items got no answer from {who.title}",
            f"see {session.folder.path}/server-*.log; the same command tries again",
        )
    return judged


async def _ask(session: Session, who: Examinee, seeds: list[Seed]) -> None:
    """Have the items answered: the model started, its adapter put on it."""
    flow = session.flow
    team = Team(
        flow.models,
        session.journal,
        session.folder.path,
        learners={"student": who.lora} if who.adapter else {},
        folders=await prepare_folders(who.base or flow, session.path, session.progress),
        say=session.progress.log,
    )
    try:
        await team.start()
        if who.adapter:
            await team.swap_in("student", who.adapter, who.version, "examined")
        session.models = team.models
        await session.run_stage(STAGE, exam_graph(flow.evaluate), seeds, total=len(seeds))
    finally:
        await team.aclose()


def _result(judged: list[Judged], session: Session, who: Examinee, source: str) -> Exam:
    """The figures, and both files."""
    metric, file = session.flow.gate.metric, session.folder.path / "eval.jsonl"
    RunFolder.write_lines(file, judged)
    value, interval = standing(judged, metric, session.flow.seed)
    groups: dict[str, list[Judged]] = {}
    for record in judged:
        groups.setdefault(record.family, []).append(record)
    exam = Exam(
        model=who.title,
        source=source,
        verifier=session.flow.evaluate.verifier,
        metric=metric,
        n=len(judged),
        value=value,
        interval=interval,
        accuracy=standing(judged, "accuracy")[0],
        strict_accuracy=standing(judged, "strict_accuracy")[0],
        score=standing(judged, "score")[0],
        families=[
            FamilyLevel(family=family, n=len(group), value=standing(group, metric)[0])
            for family, group in sorted(groups.items())
        ],
        file=file,
    )
    RunFolder.write_json(session.folder.path / "exam.json", exam)
    return exam
