"""How good the two judgements of the profile are: the detector's, and the teacher's labels'."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from synth.records import Question

__all__ = ["DetectorQuality", "LabelQuality", "detector_quality", "label_quality"]


class DetectorQuality(BaseModel):
    """The detector against the known answers, 0..1 each; "positive" is a question answered wrongly."""

    accuracy: float
    precision: float
    recall: float
    f1: float


class LabelQuality(BaseModel):
    """The teacher's labels. Shares are 0..1; None where there is nothing to tell them from."""

    labelled: int
    """Difficult questions the teacher was asked about and answered for."""
    called_right: int
    """Those whose answer the teacher called right."""
    verdicts_right: float | None
    """Share of verdicts that agree with the known answer."""
    overlap: float | None
    """Mean overlap of two votes for one question (Jaccard)."""
    own_skills: float | None
    """Share of labels that are among the skills of their question."""
    strangers: int
    """Labels that were like no skill of the catalogue."""


def detector_quality(outputs: Iterable[Mapping[str, Any]]) -> DetectorQuality | None:
    """From the outputs of the profile stage; None where no answer is known, or nothing was asked."""
    pairs = [(bool(o["difficult"]), not o["correct"]) for o in outputs if o["answer"]]
    if not pairs:
        return None
    both = sum(found and wrong for found, wrong in pairs)
    found, wrong = sum(f for f, _ in pairs), sum(w for _, w in pairs)
    return DetectorQuality(
        accuracy=sum(f == w for f, w in pairs) / len(pairs),
        precision=both / found if found else 1.0,
        recall=both / wrong if wrong else 1.0,
        f1=2 * both / (found + wrong) if found + wrong else 1.0,
    )


def label_quality(outputs: Sequence[Mapping[str, Any]], questions: Iterable[Question]) -> LabelQuality:
    """From the outputs of the profile stage and the questions asked, with their skills."""
    skills_of = {question.id: question.skills for question in questions}
    labelled = [output for output in outputs if "called_right" in output]
    verdicts = [output["called_right"] == output["correct"] for output in labelled if output["answer"]]
    # One vote overlaps with nothing, which is no agreement to report.
    overlaps = [output["overlap"] for output in labelled if output["overlap"] is not None]
    own = [skill in skills_of[o["id"]] for o in labelled for skill in o["skills"] if skills_of[o["id"]]]
    return LabelQuality(
        labelled=len(labelled),
        called_right=sum(output["called_right"] for output in labelled),
        verdicts_right=_share(verdicts),
        overlap=_share(overlaps),
        own_skills=_share(own),
        strangers=sum(len(output["strangers"]) for output in labelled),
    )


def _share(values: Sequence[float | bool]) -> float | None:
    return sum(values) / len(values) if values else None
