"""Before a run: the weights of every locally served role, made or fetched, in a folder."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from pathlib import Path

from synth.config import DataSource, FlowFile, Loaded, Scratch
from synth.curation.dataset import write_rows
from synth.data import read_questions
from synth.errors import ModelError
from synth.flows.answering import question_messages
from synth.journal import Journal
from synth.progress import Progress
from synth.records import Question, content_id
from synth.rounds.gpus import arrange
from synth.rounds.warm import warm_rows, warmed
from synth.students.launch import build_scratch
from synth.teachers.models import resolve
from synth.teachers.models.cache import cache_root
from synth.teachers.team import Team

__all__ = ["make_team", "prepare_folders"]

MOST = 1600
"""Base-training questions of a scratch model's best family; each further family has half as many."""
_SEED = 1_000_003
"""Added to a scratch model's seed for its base-training questions, so that they are no one else's."""


async def make_team(loaded: Loaded, journal: Journal, logs: Path, progress: Progress) -> Team:
    """The flow file's models, their weights fetched and the GPUs divided, not yet started."""
    flow = loaded.flow
    folders = await prepare_folders(flow, loaded.path, progress)
    return Team(
        flow.models,
        journal,
        logs,
        learners=flow.learning,
        folders=folders,
        say=progress.log,
        sharing=await arrange(flow, loaded.path, folders, logs, progress.log),
    )


async def prepare_folders(flow: FlowFile, path: Path, progress: Progress) -> dict[str, Path]:
    """Role -> folder of weights. Downloads, converts or trains what is not there yet."""
    folders: dict[str, Path] = {}
    for role, spec in flow.models.items():
        if spec.kind != "local":
            continue
        if isinstance(spec.model, Scratch):
            folders[role] = await _scratch(spec.model, flow, path, progress)
        else:
            folders[role] = await _aside(_resolve, str(spec.model))
        if role == "student" and _has_more_to_learn(spec.model, flow):
            folders[role] = await warmed(folders[role], flow, path, progress)
    return folders


def _has_more_to_learn(model: object, flow: FlowFile) -> bool:
    """Whether a warm start follows. A scratch model has had the answers already, but not the dialogues."""
    warm = flow.warm_start
    return warm is not None and (not isinstance(model, Scratch) or warm.dialogue is not None)


async def _aside(work: Callable[[str], Path], name: str) -> Path:
    """Run `work` in a thread that nobody waits for: an interrupt need not sit a download out."""
    done: Future[Path] = Future()
    done.set_running_or_notify_cancel()

    def run() -> None:
        try:
            done.set_result(work(name))
        except Exception as error:  # raised again where it is waited for
            done.set_exception(error)

    threading.Thread(target=run, name=f"fetching {name}", daemon=True).start()
    return await asyncio.wrap_future(done)


def _resolve(name: str) -> Path:
    from synth.teachers.models.progress import bar

    with bar() as progress:
        return resolve(name, progress=progress)


async def _scratch(spec: Scratch, flow: FlowFile, path: Path, progress: Progress) -> Path:
    """The tiny student, trained once for this mixture of families and settings, or for this warm start's
    answers to bare questions, which are shorter than its dialogues and so are learnt first."""
    if flow.warm_start is not None:
        found = await warm_rows(flow, path, bare=True)
        return await _built(spec, content_id([spec.model_dump(), found]), found, progress)
    pool = flow.data.get("pool")
    if pool is None or pool.source != "tasks":
        raise ModelError(
            "a scratch model learns its basics from task families, and data.pool names none",
            "write source: tasks under data.pool, give it a warm_start, or name a model under models.student",
        )
    guards = [flow.data[guard.data].model_dump() for guard in flow.gate.guards.values()]
    asked = flow.evaluate.model_dump(exclude={"temperature"})  # which is only of exams
    parts = [spec.model_dump(), pool.families, asked, *guards]
    key = content_id(parts)
    return await _built(spec, key, _rows(spec, pool, flow, path), progress)


async def _built(spec: Scratch, key: str, found: Iterable[dict[str, object]], progress: Progress) -> Path:
    folder = cache_root() / "scratch" / key
    rows = folder / "data.jsonl"
    if not rows.exists():
        write_rows(rows, found)
    output = folder / "model"
    if not output.exists():
        progress.log(f"training the scratch model from nothing, {spec.steps} steps, once for this mixture")
    with progress.stage(0, "scratch", spec.steps) as bar:
        await build_scratch(spec, rows, output, folder / "work", bar.loss)
    return output


def _rows(spec: Scratch, pool: DataSource, flow: FlowFile, path: Path) -> Iterator[dict[str, object]]:
    """Questions with answers, many of the first family and ever fewer of the next: an uneven student."""
    from synth.data.tasks import families

    held_out = [
        question.question
        for name in flow.held_out
        if name != "target"
        for question in read_questions(flow.data[name], base=path.parent)
    ]
    for rank, family in enumerate(pool.families or tuple(families())):
        size = max(20, MOST >> rank)
        source = DataSource(source="tasks", families=(family,), size=size, seed=spec.seed + _SEED)
        for question in read_questions(source, base=path.parent, exclude=held_out):
            yield _row(question, flow)


def _row(question: Question, flow: FlowFile) -> dict[str, object]:
    return {
        "prompt": question_messages(question.question, flow.evaluate),
        "completion": [{"role": "assistant", "content": question.answer}],
    }
