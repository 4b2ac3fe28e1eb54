"""An exam of one model alone: a flow file's held-out items, put and judged as a run would."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from synth.config import FlowFile, Loaded
from synth.engine.flow import FlowParams
from synth.engine.folder import RunFolder
from synth.engine.session import Session
from synth.errors import DataError, RunError, SynthError
from synth.figures import level, percent
from synth.flows.answering import exam_graph, question_seeds
from synth.journal import Journal
from synth.measure.change import Metric, standing
from synth.measure.examinee import Examinee
from synth.measure.explore import Exploration, averaged, explore
from synth.measure.stats import Interval
from synth.probe import unlimited
from synth.progress import Progress
from synth.records import Judged, Seed
from synth.rounds.prepare import prepare_folders
from synth.runs.runfiles import Part
from synth.teachers.models import weights_version
from synth.teachers.team import Team

__all__ = ["Drawing", "Exam", "FamilyLevel", "examine", "slug"]

STAGE = "exam"


@dataclass(frozen=True)
class Drawing:
    """How answers are drawn: one to an item as in the flow file's exams, or several at a temperature."""

    samples: int = 1
    temperature: float | None = None
    """By default the exams'."""

    def stage(self, sample: int) -> str:
        """The stage in which this answer to every item is drawn."""
        return f"{STAGE}-{sample}" if sample else STAGE


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
    exploration: Exploration | None = None
    """Where answers were drawn at a temperature: how many right ones there are. The figures above are
    then means over all answers."""
    file: Path
    """The `Judged` records, one a line."""

    @property
    def said(self) -> str:
        """In one line."""
        low, high = (level(end, self.metric) for end in (self.interval.low, self.interval.high))
        value = level(self.value, self.metric)
        said = f"{self.model}: {value} of {self.n} items ({low} to {high}), {self.metric}"
        if (found := self.exploration) is None:
            return said
        return (
            f"{said}; {found.samples} answers each at temperature {found.temperature:g}: "
            f"{percent(found.ever)} right at least once, {found.distinct:.2f} different right answers an item"
        )


def slug(who: Examinee, source: str, flow: Path, temperature: float | None = None) -> str:
    """A folder's name for this exam."""
    name = f"{who.title}-{flow.stem}-{source}" + ("" if temperature is None else f"-t{temperature:g}")
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-")


async def examine(
    loaded: Loaded,
    who: Examinee,
    source: str,
    target: Path,
    progress: Progress,
    drawing: Drawing = Drawing(),
) -> Exam:
    """Put the items of the data source `source` to a model; answers and verdicts stay in `target`.

    Begun again, it goes on where it stopped; more samples are added to those there are. Raises
    `SynthError` where the model cannot be had or items stay without an answer, `RunError` where
    `target` holds another exam.
    """
    assert isinstance(loaded.params, FlowParams)
    flow, folder = _flow(loaded, who, source), RunFolder(target)
    folder.open()
    try:
        _settle(folder, _settings(flow, who, source, drawing))
        journal = Journal(folder.journal)
        try:
            session = Session(flow, loaded.params, folder, journal, {}, progress, loaded.path, round=0)
            return _result(await _sit(session, who, drawing, source), session, who, source, drawing)
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


def _settings(flow: FlowFile, who: Examinee, source: str, drawing: Drawing) -> dict[str, Any]:
    """What makes this exam the one it is."""
    drawn = {} if drawing.temperature is None else {"temperature": drawing.temperature}
    spec = flow.models["student"]
    folder = Path(str(spec.model)) if spec.kind == "local" else None
    return {
        "model": spec.model_dump(mode="json", include={"model", "base_url", "program"}),
        "weights": weights_version(folder) if folder and folder.is_dir() else "",
        "adapter": who.version,
        "items": flow.data[source].model_dump(mode="json"),
        "evaluate": flow.evaluate.model_dump(mode="json"),
        **drawn,
    }


async def _sit(session: Session, who: Examinee, drawing: Drawing, source: str) -> list[Judged]:
    """All items answered and judged, sample by sample; an exam that is done asks nobody."""
    seeds = question_seeds(session.questions(source))
    rows = {
        sample: session.journal.stage(session.round, drawing.stage(sample))
        for sample in range(drawing.samples)
    }
    missing = [sample for sample, row in rows.items() if row is None or row.status != "done"]
    if missing:
        await _ask(session, who, drawing, missing, seeds)
    return [record for sample in rows for record in _judged(session, who, drawing.stage(sample), len(seeds))]


def _judged(session: Session, who: Examinee, stage: str, wanted: int) -> list[Judged]:
    """The answers of a stage. Raises `SynthError` where items stayed without one."""
    judged = [Judged.model_validate(result.output) for result in session.results(stage) if result.output]
    if not judged or len(judged) < wanted:
        session.journal.set_stage(session.round, stage, "failed", {})
        raise SynthError(
            f"{wanted - len(judged)} of {wanted} items got no answer from {who.title}",
            f"see {session.folder.path}/server-*.log; the same command tries again",
        )
    return judged


async def _ask(
    session: Session, who: Examinee, drawing: Drawing, missing: list[int], seeds: list[Seed]
) -> None:
    """Have the items answered, so often as is missing: the model started, its adapter put on it."""
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
        for sample in missing:
            graph = exam_graph(flow.evaluate, sample, drawing.temperature)
            await session.run_stage(drawing.stage(sample), graph, seeds, total=len(seeds))
    finally:
        await team.aclose()


def _result(judged: list[Judged], session: Session, who: Examinee, source: str, drawing: Drawing) -> Exam:
    """The figures, and both files."""
    metric, file = session.flow.gate.metric, session.folder.path / "eval.jsonl"
    RunFolder.write_lines(file, judged)
    seed, temperature = session.flow.seed, drawing.temperature
    items = averaged(judged, metric) if drawing.samples > 1 else judged
    value, interval = standing(items, "score" if drawing.samples > 1 else metric, seed)
    groups: dict[str, list[Judged]] = {}
    for record in judged:
        groups.setdefault(record.family, []).append(record)
    exam = Exam(
        model=who.title,
        source=source,
        verifier=session.flow.evaluate.verifier,
        metric=metric,
        n=len(items),
        value=value,
        interval=interval,
        accuracy=standing(judged, "accuracy")[0],
        strict_accuracy=standing(judged, "strict_accuracy")[0],
        score=standing(judged, "score")[0],
        families=[
            FamilyLevel(family=family, n=len(group) // drawing.samples, value=standing(group, metric)[0])
            for family, group in sorted(groups.items())
        ],
        exploration=explore(judged, temperature) if temperature else None,
        file=file,
    )
    RunFolder.write_json(session.folder.path / "exam.json", exam)
    return exam
