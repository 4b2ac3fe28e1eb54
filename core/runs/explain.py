"""A record's whole ancestry: each call behind it with prompt and reply, and why it was kept or dropped."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from pydantic import Field

from synth.errors import RunError
from synth.measure.gate import Decision
from synth.records import Call, Message, Rejection, Sample
from synth.runs.lookup import Find, Origin, Story, find_sample, look_up
from synth.runs.runfiles import Part, open_readonly, read_json

__all__ = [
    "Ancestor",
    "Explanation",
    "Step",
    "explain",
    "explained",
    "journal_steps",
    "open_journals",
    "steps",
]

COLUMNS = "stage, agent, role, model, weights, request, reply"
RESULTS = "SELECT payload FROM results WHERE seed = ? AND stage IN (SELECT round || '/' || name FROM stages)"
"""Of a seed in all stages: named, so that the key of the table finds them."""
QUOTING = 20
"""Most calls shown of a refused record, which are found by the text they quote."""


class Step(Part):
    """One call: who was asked what, and what was said. `prompt` is empty where no journal has it."""

    stage: str = ""
    agent: str
    role: str = ""
    model: str
    weights: str
    temperature: float = 0.0
    prompt: list[Message] = Field(default_factory=list)
    reply: str = ""
    thinking: str = ""
    finish_reason: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Ancestor(Part):
    """An earlier sample this one was made from, with the calls behind it."""

    id: str
    where: str
    steps: list[Step]


class Explanation(Part):
    """What `synth explain` tells: oldest ancestors first, then the record's own calls."""

    story: Story
    ancestors: list[Ancestor] = Field(default_factory=list)
    steps: list[Step] = Field(default_factory=list)
    guessed: bool = False
    """Whether the calls were found by the text they quote, not by a recorded lineage."""
    outcome: list[str] = Field(default_factory=list)
    """Why it was kept or dropped, in sentences."""


def explain(run: Path, prefix: str) -> Explanation:
    """The ancestry of the record whose id begins so. Raises `RunError` as `look_up` does."""
    return explained(run, look_up(run, prefix))


def explained(run: Path, story: Story, find: Find | None = None) -> Explanation:
    """The ancestry of a record whose story is known; earlier samples are looked up by `find`, by default in
    the files. Raises `RunError` for a damaged journal."""
    find = find or partial(find_sample, run)
    with open_journals(run) as journals:
        sample = story.sample or _dropped_later(story, journals)
        own = list(steps(sample.lineage.calls, journals)) if sample else _quoting(story, journals)
        return Explanation(
            story=story,
            ancestors=list(_ancestors(find, story.origins, journals)),
            steps=own,
            guessed=sample is None and bool(own),
            outcome=list(_outcome(run, story)),
        )


@contextmanager
def open_journals(run: Path) -> Iterator[list[sqlite3.Connection]]:
    """The run's journal and those it replayed, read only. Raises `RunError` for a damaged one."""
    opened: list[sqlite3.Connection] = []
    folder: Path | None = run
    try:
        while folder is not None and (folder / "journal.db").is_file():
            opened.append(open_readonly(folder / "journal.db"))
            row = opened[-1].execute("SELECT value FROM meta WHERE key = 'replay'").fetchone()
            folder = Path(row[0]) if row else None
        yield opened
    except sqlite3.Error as error:
        raise RunError(f"reading the journal of {run}: {error}", "restore the file from a copy") from error
    finally:
        for connection in opened:
            connection.close()


def steps(calls: Iterable[Call], journals: Sequence[sqlite3.Connection]) -> Iterator[Step]:
    """Calls of a lineage with what was said in them, each once, in their order."""
    for call in {call.key: call for call in calls}.values():
        query = f"SELECT {COLUMNS} FROM calls WHERE key = ?"
        rows = (journal.execute(query, (bytes.fromhex(call.key),)).fetchone() for journal in journals)
        row = next((row for row in rows if row is not None), None)
        if row is not None:
            yield _step(row, call.agent)
        else:
            yield Step(
                agent=call.agent,
                model=call.model,
                weights=call.weights,
                temperature=call.sampling.temperature,
            )


def journal_steps(journal: sqlite3.Connection) -> Iterator[Step]:
    """All calls of a journal, the last first."""
    return (_step(row) for row in journal.execute(f"SELECT {COLUMNS} FROM calls ORDER BY id DESC"))


def _step(row: Sequence[Any], agent: str = "") -> Step:
    """A row of the journal: stage, agent, role, model, weights, request, reply."""
    stage, first, role, model, weights, request, reply = row
    asked, said = orjson.loads(request), orjson.loads(reply)
    return Step(
        stage=stage,
        agent=agent or first,
        role=role,
        model=model,
        weights=weights,
        temperature=(asked.get("sampling") or {}).get("temperature", 0.0),
        prompt=asked.get("messages") or [],
        reply=said.get("text", ""),
        thinking=said.get("thinking", ""),
        finish_reason=said.get("finish_reason", ""),
        prompt_tokens=said.get("prompt", 0),
        completion_tokens=said.get("completion", 0),
    )


def _ancestors(
    find: Find, origins: Iterable[Origin], journals: Sequence[sqlite3.Connection]
) -> Iterator[Ancestor]:
    """The samples among the origins, the oldest first."""
    for origin in origins:
        yield from _ancestors(find, origin.origins, journals)
        found = find(origin.id) if origin.kind == "sample" else None
        if found is not None:
            calls = found[1].lineage.calls
            yield Ancestor(id=origin.id, where=origin.where, steps=list(steps(calls, journals)))


def _dropped_later(story: Story, journals: Sequence[sqlite3.Connection]) -> Sample | None:
    """The sample that curation refused: the result of its seed still holds it."""
    for rejection in story.rejections:
        wanted = rejection.data.get("sample")
        for journal in journals if wanted else ():
            with closing(journal.execute(RESULTS, (rejection.seed_id,))) as rows:
                for (payload,) in rows:
                    for found in orjson.loads(payload)["samples"]:
                        if found["id"] == wanted:
                            return Sample.model_validate(found)
    return None


def _quoting(story: Story, journals: Sequence[sqlite3.Connection]) -> list[Step]:
    """Of a seed that was refused in a graph: the calls of its stage that quote its text."""
    found: list[Step] = []
    for rejection in story.rejections:
        text = _text(rejection)
        stage = rejection.stage if "/" in rejection.stage else f"{rejection.round}/{rejection.stage}"
        for journal in journals if text else ():
            query = f"SELECT {COLUMNS} FROM calls WHERE stage = ? AND instr(request, ?) ORDER BY id LIMIT ?"
            quoted = orjson.dumps(text)[1:-1]
            found += [_step(row) for row in journal.execute(query, (stage, quoted, QUOTING))]
    return found[:QUOTING]


def _text(rejection: Rejection) -> str:
    """What a call about this record would quote."""
    texts = (rejection.data.get(key) for key in ("question", "instruction", "prompt"))
    return next((text for text in texts if isinstance(text, str) and text), "")


def _outcome(run: Path, story: Story) -> Iterator[str]:
    for rejection in story.rejections:
        detail = f": {rejection.detail}" if rejection.detail else ""
        attempts = f", after {rejection.attempts} attempts" if rejection.attempts > 1 else ""
        yield f"Dropped in {rejection.stage} at {rejection.node}, {rejection.reason}{detail}{attempts}."
    if story.sample is None:
        return
    said = (f"{verdict.name} {verdict.value} by {verdict.by}" for verdict in story.sample.verdicts)
    verdicts = "; ".join(said) or "no verdict was asked for"
    yield f"Kept: {verdicts}; curation of round {story.round} found nothing against it."
    decision = read_json(run / "rounds" / str(story.round) / "gate.json", Decision, [])
    if decision is not None:
        yield f"The {story.sample.learner} trained on it. {decision.reason}"
