"""A warm start: what the student is taught before round 1, from a program's answers.

Preference training moves a student along what it does already. One that never writes what the
pairs differ in is first shown it; the student so made is the base of every comparison.
"""

from __future__ import annotations

from pathlib import Path

from synth.chat import CallFailed, Request
from synth.config import FlowFile, WarmStart
from synth.config.recipes import launch_file
from synth.curation.dataset import write_rows
from synth.data import read_questions
from synth.errors import DataError, ModelError
from synth.flows.answering import question_messages
from synth.progress import Progress
from synth.records import Question, Sampling, content_id
from synth.students.job import TrainJob, decisive
from synth.students.launch import train
from synth.teachers.models import weights_version
from synth.teachers.models.cache import cache_root
from synth.teachers.program import Program, ProgramEndpoint, load_program

__all__ = ["warm_rows", "warmed"]


async def warmed(base: Path, flow: FlowFile, path: Path, progress: Progress) -> Path:
    """Folder of the student after its warm start: trained once for these weights, rows and settings.

    Raises `SynthError` where the data cannot be read, the program fails or the training does.
    """
    warm = flow.warm_start
    assert warm is not None
    rows = await warm_rows(flow, path)
    settings = decisive(warm.train)
    folder = cache_root() / "warm" / content_id([weights_version(base), rows, settings])
    data, output = folder / "data.jsonl", folder / "model"
    if not data.exists():
        write_rows(data, rows)
    if not output.exists():
        progress.log(f"warm start of the student on {len(rows)} answers, once for these data")
    job = TrainJob(
        model=base,
        data=data,
        output=output,
        work=folder / "work",
        train=warm.train,
        name=flow.models["student"].title,
        launch=launch_file(warm.train.launch, path),
    )
    with progress.stage(0, "warm-start", None) as bar:
        await train(job, bar.loss)
    return output


async def warm_rows(flow: FlowFile, path: Path, *, bare: bool = False) -> list[dict[str, object]]:
    """Prompts and answers of the warm start, or without its dialogues if `bare`. No prompt is a question of
    the test or of a guard."""
    warm = flow.warm_start
    assert warm is not None
    source = flow.data.get(warm.data)
    if source is None:
        raise DataError(
            f"the warm start reads data.{warm.data}, which the flow file does not have",
            f"add a source under data: {warm.data}:",
        )
    exams = [name for name in flow.held_out if name not in ("profile", "target")]
    held_out = [q.question for name in exams for q in read_questions(flow.data[name], base=path.parent)]
    questions = read_questions(source, base=path.parent, exclude=held_out)
    program = ProgramEndpoint(load_program(warm.program))
    turn = load_program(warm.dialogue) if warm.dialogue and not bare else None
    return [row for question in questions for row in await _rows(question, warm, program, turn, flow)]


async def _rows(
    question: Question, warm: WarmStart, program: ProgramEndpoint, turn: Program | None, flow: FlowFile
) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for number in range(warm.samples):
        messages = question_messages(question.question, flow.evaluate)
        try:
            messages = turn(messages, number) if turn else messages
            [reply] = await program.chat(Request(messages, Sampling()), warm.program, 1, number, "warm")
        except (CallFailed, ValueError) as error:
            raise ModelError(
                f"the warm start's program {warm.program!r} gave no answer to {question.question[:80]!r}: "
                f"{error.detail if isinstance(error, CallFailed) else error}",
                f"name a program that answers the questions of data.{warm.data}",
            ) from error
        rows.append({"prompt": messages, "completion": [{"role": "assistant", "content": reply.text}]})
    return rows
