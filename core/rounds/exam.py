"""Exams: the student that answers now, on a held-out source, greedily."""

from __future__ import annotations

from synth.engine.folder import RunFolder
from synth.engine.session import Session
from synth.errors import SynthError
from synth.flows.answering import exam_graph, question_seeds
from synth.records import Judged

__all__ = ["exam", "guard_exams"]


async def exam(session: Session, name: str, *, source: str = "test", sample: int = 0) -> list[Judged]:
    """The answers to all questions of a source, judged and written to `eval/NAME.jsonl`.

    Another `sample` is asked anew. Raises `SynthError` where a question got no answer.
    """
    questions = session.questions(source)
    results = await session.stage(
        f"exam-{name}",
        exam_graph(session.flow.evaluate, sample),
        question_seeds(questions),
        total=len(questions),
    )
    judged = [Judged.model_validate(result.output) for result in results if result.output]
    if len(judged) < len(questions):
        missing = len(questions) - len(judged)
        session.journal.set_stage(session.round, f"exam-{name}", "failed", {})
        raise SynthError(
            f"{missing} of {len(questions)} held-out questions got no answer in exam-{name}",
            f"see rejected.jsonl and {session.folder.path}/server-*.log; the same command tries again",
        )
    RunFolder.write_lines(session.folder.round(session.round) / "eval" / f"{name}.jsonl", judged)
    return judged


async def guard_exams(session: Session, when: str) -> dict[str, list[Judged]]:
    """Every guard suite, before or after (`when`)."""
    return {
        name: await exam(session, f"guard-{name}-{when}", source=guard.data)
        for name, guard in session.flow.gate.guards.items()
    }
