"""The questions that nothing is trained on: those of the gate, and those of the test sets named."""

from __future__ import annotations

from synth.config import DataSource
from synth.data import normalise, read_questions
from synth.engine.session import Session

__all__ = ["held_out_texts"]


def held_out_texts(session: Session) -> dict[str, str]:
    """Normalised text -> name of the source, of the flow file's held-out sources and of those under
    `curate.decontaminate`: a name under `data`, a path or a hub data set with a field `question`.

    Raises `DataError` where one cannot be read.
    """
    found: dict[str, str] = {}
    for name in (*session.flow.held_out, *session.flow.curate.decontaminate):
        if name in session.flow.data:
            questions = iter(session.questions(name))
        else:
            questions = read_questions(DataSource(source=name, answer=None), base=session.path.parent)
        for question in questions:
            found.setdefault(normalise(question.question), name)
    return found
