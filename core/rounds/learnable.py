"""Whether an objective can learn from what a flow makes, and what it is rewarded by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from synth.config import Loaded, Train
from synth.config.objectives import NEEDS, Material, Objective
from synth.data import normalise
from synth.engine.flow import NO_TRAINING, Flow, FlowParams
from synth.engine.session import Session
from synth.errors import DataError, Problem
from synth.records import Question, Sample

__all__ = ["check_objectives", "check_samples", "with_truths"]

WORDS: dict[Material, str] = {
    "answers": "prompts with one answer each",
    "pairs": "pairs of a better and a worse answer",
    "truths": "prompts with what is known to be right",
    "demonstrations": "prompts with an answer and with what is known to be right",
}
BASE: dict[Material, Material | None] = {
    "answers": "answers",
    "pairs": "pairs",
    "truths": None,
    "demonstrations": "answers",
}
"""What is needed -> the kind of samples that a flow must make for it; None for any."""


def check_objectives(loaded: Loaded, flow: Flow) -> list[Problem]:
    """Objectives of a flow file that cannot learn from what its flow makes."""
    params = loaded.params
    if flow.makes is None or not isinstance(params, FlowParams):
        return []
    if loaded.flow.generate_only or params.arm == NO_TRAINING:  # nobody is trained
        return []
    made = flow.makes(params)
    problems: list[Problem] = []
    for role, train in {"student": loaded.flow.train, **loaded.flow.learners}.items():
        wanted = BASE[NEEDS[train.objective]]
        if role in made and wanted and wanted != made[role]:
            key = "train.objective" if role == "student" else f"learners.{role}.objective"
            problems.append(
                loaded.problem(key, _unfit(train.objective, flow.name, made[role]), _cure(made[role]))
            )
    return problems


def _unfit(objective: Objective, flow: str, made: Material) -> str:
    return f"'{objective}' learns from {WORDS[NEEDS[objective]]}, and the flow '{flow}' makes {WORDS[made]}"


def _cure(made: Material) -> str:
    fitting = [name for name, needs in NEEDS.items() if BASE[needs] in (made, None)]
    return f"write one of: {', '.join(fitting)}"


def check_samples(samples: Iterable[Sample], role: str, train: Train, flow: str) -> None:
    """Raises `DataError` where a learner's samples are not what its objective learns from."""
    needs = NEEDS[train.objective]
    wanted = BASE[needs]
    for sample in samples:
        made: Material = "pairs" if sample.chosen is not None else "answers"
        if wanted and wanted != made:
            raise DataError(
                f"training the {role}: {_unfit(train.objective, flow, made)} (sample {sample.id})",
                f"under {_place(role)} {_cure(made)}",
            )
        if needs in ("truths", "demonstrations") and "truth" not in sample.meta:
            raise DataError(
                f"training the {role}: '{train.objective}' learns by what is right, and that is not known of "
                f"the sample {sample.id}: {sample.prompt[-1]['content'][:60]!r}",
                "take questions with answers or constraints under data, or put a Question into the "
                "sample's meta['truth'], as JSON",
            )


def _place(role: str) -> str:
    return "train.objective" if role == "student" else f"learners.{role}.objective"


def with_truths(
    session: Session, samples: Iterable[Sample], training_of: Callable[[Session, str], Train]
) -> Iterator[Sample]:
    """The samples; those of a learner that is rewarded carry their question as `meta['truth']`.

    It is the question the flow gives, the one whose text and answer the flow notes, or the one of the
    flow file's data with the same text.
    """
    roles = ("student", *session.flow.learners)
    rewarded = {
        role for role in roles if NEEDS[training_of(session, role).objective] in ("truths", "demonstrations")
    }
    known = _questions(session) if rewarded else {}
    for sample in samples:
        truth = _truth(sample, known) if sample.learner in rewarded and "truth" not in sample.meta else None
        yield sample.model_copy(update={"meta": {**sample.meta, "truth": truth}}) if truth else sample


def _questions(session: Session) -> dict[str, Question]:
    """Text -> question, of all sources that may be trained on: bare, and as the student is asked it."""
    held_out = set(session.flow.held_out)
    names = [n for n, s in session.flow.data.items() if n not in held_out and s.shape == "questions"]
    found = [question for name in names for question in session.questions(name)]
    bare = {normalise(question.question): question for question in found}
    asked = session.flow.evaluate.prompt
    return {normalise(asked.replace("{question}", text)): question for text, question in bare.items()} | bare


def _truth(sample: Sample, known: dict[str, Question]) -> dict[str, object] | None:
    asked, answer = sample.meta.get("question", sample.prompt[-1]["content"]), sample.meta.get("answer")
    question = known.get(normalise(asked))
    if isinstance(answer, str) and answer and (question is None or question.answer != answer):
        kind = question.kind if question else "text"
        question = Question.of(asked, answer, kind=kind, choices=question.choices if question else ())
    if question is None or not (question.answer or question.meta.get("constraints")):
        return None
    return question.model_dump(mode="json")
