"""A session for AgentInstruct's tests: the models are scripted and answer over real HTTP."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from synth.config import FlowFile
from synth.engine.folder import RunFolder
from synth.engine.session import Session
from synth.flows.agentinstruct import Params
from synth.journal import Journal
from synth.progress import make_progress
from synth.records import Sample
from synth.teachers.bookworm import answer as bookworm
from synth.teachers.http import HttpEndpoint
from synth.teachers.model import Model
from tests.support.openai_server import Say, ScriptedServer

TEXT = """# Rivers

Most rivers carry more water in spring than in any other season. The snow of the mountains melts
when the days grow longer. Farmers open the gates of their canals at that time. Later in the year
the fields have to be watered from reservoirs. Nobody fishes below the dam in those weeks.
"""
CODE = '''def double(x: int) -> int:
    """Twice a number.

    >>> double(4)
    8
    >>> double(-1)
    -2
    """
    return 2 * x


def halve(x: int) -> float:
    """Half of a number.

    >>> halve(4)
    2.0
    """
    return x / 2
'''
READ = {
    "skills": ["reading_comprehension"],
    "types": {"reading_comprehension": ["vocabulary_and_language_use", "sequencing_events"]},
    "transformations": {"reading_comprehension": ["identity"]},
}
"""What the bookworm can do of reading comprehension."""
Messages = Sequence[Mapping[str, Any]]


def read_only(messages: Messages, body: Mapping[str, Any]) -> str:
    """The program teacher behind an endpoint."""
    return bookworm([dict(message) for message in messages])  # type: ignore[misc]


def agents(samples: Sequence[Sample]) -> Counter[str]:
    """Which agents the samples' lineages name."""
    return Counter(call.agent for sample in samples for call in sample.lineage.calls)


@asynccontextmanager
async def playing(
    folder: Path,
    teacher: Say | None = read_only,
    student: Say | None = None,
    name: str = "run",
    files: Mapping[str, str] | None = None,
    seen: Callable[[str], None] = lambda role: None,
    **params: Any,
) -> AsyncIterator[Session]:
    """A session of round 1 over a folder of documents; `params` are AgentInstruct's. `seen` is told
    who is asked. Without a teacher the server makes up an instance of each schema."""
    documents = folder / "documents"
    documents.mkdir(exist_ok=True)
    for file, text in (files or {"rivers.md": TEXT}).items():
        (documents / file).write_text(text)
    flow = FlowFile.model_validate(
        {"flow": "agentinstruct", "models": {role: {"model": role} for role in ("student", "teacher")}}
    )
    run = RunFolder(folder / name)
    run.open()
    journal = Journal(run.journal)
    said = {"student": student, "teacher": teacher}

    def reply(messages: Messages, body: Mapping[str, Any]) -> str | Sequence[str]:
        seen(body["model"])
        say = said[body["model"]]
        assert say is not None
        return say(messages, body)

    async with ScriptedServer(reply if teacher or student else None, models=tuple(said)) as server:
        endpoint = HttpEndpoint(server.base_url)
        models = {role: Model(role, role, "w1", role, endpoint, journal) for role in said}
        sources = [{"source": str(documents), "licence": "CC0"}]
        chosen = Params.model_validate({"seeds": sources, "least": 5, **params})
        try:
            yield Session(flow, chosen, run, journal, models, make_progress(quiet=True), folder / "flow.yaml")
        finally:
            await endpoint.aclose()
            journal.close()
            run.close()
