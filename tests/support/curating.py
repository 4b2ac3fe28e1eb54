"""A session whose roles are programs, for the steps of curation that ask models."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from synth.config import FlowFile
from synth.engine.flow import FlowParams
from synth.engine.folder import RunFolder
from synth.engine.session import Session
from synth.journal import Journal
from synth.progress import make_progress
from synth.records import Message, Sample
from synth.teachers.model import Model
from synth.teachers.program import ProgramEndpoint

__all__ = ["Program", "curating", "reasons", "sample"]

Program = Callable[[Sequence[Message]], str]


def sample(prompt: str, answer: str, **rest: Any) -> Sample:
    """A single answer to a question."""
    facts = {"seed_id": "s", "flow": "f", "arm": "fixed", "round": 1}
    return Sample.sft([{"role": "user", "content": prompt}], answer, **{**facts, **rest})


def reasons(curated: Any) -> list[str]:
    """Why samples went, in their order."""
    return [rejection.reason for rejection in curated.rejections]


@contextmanager
def curating(folder: Path, programs: Mapping[str, Program], curate: Mapping[str, Any]) -> Iterator[Session]:
    """The session, with that `curate:` section."""
    models = {role: {"program": "x:y"} for role in programs}
    flow = FlowFile.model_validate({"flow": "x", "models": models, "curate": curate, "data": {}})
    run = RunFolder(folder / "run")
    run.open()
    journal = Journal(run.journal)
    played = {
        role: Model(role, role, "w", role, ProgramEndpoint(program), journal)
        for role, program in programs.items()
    }
    progress = make_progress(quiet=True)
    try:
        yield Session(flow, FlowParams(), run, journal, played, progress, folder / "flow.yaml")
    finally:
        run.close()
        journal.close()
