"""A few samples of a flow with all that was asked and said on the way, from real models; nothing is kept."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from pydantic import Field

from synth.config import Loaded
from synth.engine.flow import FlowParams
from synth.engine.folder import RunFolder
from synth.errors import DataError, ServerError, SynthError
from synth.flows import load_flow_module
from synth.journal import Journal
from synth.probe import Probe, unlimited
from synth.progress import Progress
from synth.records import Sample
from synth.rounds.prepare import make_team
from synth.runs.explain import Step, journal_steps, open_journals, steps
from synth.runs.runfiles import Part
from synth.teachers.team import Team

__all__ = ["Made", "Preview", "preview"]

WIDER = (1, 4, 16)
"""Times as many seeds a stage are tried where fewer made too few samples."""


class Made(Part):
    """One sample and the calls behind it."""

    sample: Sample
    steps: list[Step]


class Preview(Part):
    """What a flow makes of a few seeds."""

    flow: str
    seeds: int
    """Seeds of each stage that were run."""
    samples: list[Made] = Field(default_factory=list)
    others: list[Step] = Field(default_factory=list)
    """One call of each agent that stands behind none of the samples."""
    drops: dict[str, int] = Field(default_factory=dict)
    """Reason -> records refused on the way."""


async def preview(loaded: Loaded, wanted: int, progress: Progress) -> Preview:
    """Make `wanted` samples, or as many as come of sixteen times as many seeds a stage.

    Raises `SynthError` where models cannot be had or the flow cannot go on.
    """
    with tempfile.TemporaryDirectory(prefix="synth-preview-") as scratch:
        folder = Path(scratch)
        journal = Journal(folder / "journal.db")
        try:
            team = await make_team(loaded, journal, folder, progress)
            try:
                await _start(team)
                return await _preview(loaded, wanted, progress, team, folder, journal)
            finally:
                await team.aclose()
        finally:
            journal.close()


async def _start(team: Team) -> None:
    """Start the models; their logs go with the temporary folder."""
    try:
        await team.start()
    except ServerError as error:
        raise ServerError(error.what, "synth run keeps the whole log in the run's folder") from error


async def _preview(
    loaded: Loaded, wanted: int, progress: Progress, team: Team, folder: Path, journal: Journal
) -> Preview:
    """From few seeds to more until enough samples are there; calls made before are not made again."""
    for times in WIDER:
        seeds = wanted * times
        try:
            samples, drops = await _attempt(loaded, seeds, progress, team, folder / str(times))
        except SynthError as error:
            # Some flows cannot go on from next to nothing; a model that fails is another matter.
            if type(error) not in (SynthError, DataError) or times == WIDER[-1]:
                raise
            samples, drops = [], Counter()
        if len(samples) >= wanted:
            break
        progress.log(f"{len(samples)} samples from {seeds} seeds a stage")
    await journal.flush()
    with open_journals(folder) as journals:
        made = [
            Made(sample=sample, steps=list(steps(sample.lineage.calls, journals)))
            for sample in samples[:wanted]
        ]
        agents = {step.agent for one in made for step in one.steps}
        others = {step.agent: step for step in journal_steps(journals[0]) if step.agent not in agents}
    return Preview(
        flow=loaded.flow.flow, seeds=seeds, samples=made, others=list(others.values()), drops=dict(drops)
    )


async def _attempt(
    loaded: Loaded, seeds: int, progress: Progress, team: Team, folder: Path
) -> tuple[list[Sample], Counter[str]]:
    """One pass of the flow over a few seeds of each stage, in a folder of its own."""
    assert isinstance(loaded.params, FlowParams)
    folder.mkdir()
    aside = Journal(folder / "journal.db")
    try:
        session = Probe(
            unlimited(loaded.flow),
            loaded.params,
            RunFolder(folder),
            aside,
            team.models,
            progress,
            loaded.path,
            few=seeds,
        )
        samples = list(await load_flow_module(loaded.flow.flow).generate(session))
        await aside.flush()
        return samples, Counter(rejection.reason for rejection in session.rejections())
    finally:
        aside.close()
