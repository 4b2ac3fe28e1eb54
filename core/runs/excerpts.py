"""A few records of a round to look at: samples kept, samples refused, answers that changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from synth.records import Judged, Message, Rejection, Sample
from synth.runs.runfiles import Part, read_lines

__all__ = ["AnswerChange", "Excerpt", "Score", "answers", "kept_samples", "rejections"]

SHOWN = 4
"""Kept samples, reasons of rejection, and changed answers shown of a round."""
ASKED = ("question", "instruction", "prompt")
"""Keys under which a rejection's data may hold what was asked."""
TEXT_LIMIT = 1200
"""Characters shown of a text."""


class Excerpt(Part):
    """A record to look at; `reason` is empty for a kept one. Long texts are clipped."""

    family: str
    prompt: str
    answer: str
    """What is to be learned; of a refused record its raw text."""
    against: str = ""
    """Of a pair the rejected answer."""
    stage: str = ""
    reason: str = ""
    detail: str = ""


class AnswerChange(Part):
    """A held-out item one of the two students got right, or did better: the new one if `gained`."""

    family: str
    question: str
    answer: str
    before: str
    after: str
    gained: bool


class Score(Part):
    """How many held-out items one student got right; `strict` counts bare right answers."""

    n: int
    correct: int
    strict: int


def kept_samples(path: Path, warnings: list[str]) -> tuple[Counter[str], list[Excerpt]]:
    """Samples in a file by the role that learns from them, and a few, of as many families as there are."""
    learners: Counter[str] = Counter()
    of_family: dict[str, Sample] = {}
    more: list[Sample] = []
    for sample in read_lines(path, Sample, warnings):
        learners[sample.learner] += 1
        if sample.family not in of_family:
            of_family[sample.family] = sample
        elif len(more) < SHOWN:
            more.append(sample)
    return learners, [_excerpt(sample) for sample in [*of_family.values(), *more][:SHOWN]]


def _excerpt(sample: Sample) -> Excerpt:
    learned = sample.completion or sample.chosen or []
    return Excerpt(
        family=sample.family,
        prompt=_last(sample.prompt),
        answer=_last(learned),
        against=_last(sample.rejected or []),
    )


def rejections(path: Path, warnings: list[str]) -> tuple[Counter[tuple[str, str]], list[Excerpt]]:
    """Rejections counted by stage and reason, and the first of each of the commonest reasons."""
    counts: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], Rejection] = {}
    for rejection in read_lines(path, Rejection, warnings):
        key = (rejection.stage.rpartition("/")[2], rejection.reason)
        counts[key] += 1
        first.setdefault(key, rejection)
    return counts, [_refusal(stage, first[stage, why]) for (stage, why), _ in counts.most_common(SHOWN)]


def _refusal(stage: str, rejection: Rejection) -> Excerpt:
    data = rejection.data
    asked = next((text for key in ASKED if (text := _said(data.get(key)))), "")
    return Excerpt(
        family=str(data.get("family", "")),
        prompt=_clip(asked),
        answer=_clip(rejection.raw or _said(data.get("completion")) or _said(data.get("chosen"))),
        against=_clip(_said(data.get("rejected"))),
        stage=stage,
        reason=rejection.reason,
        detail=_clip(rejection.detail or rejection.error),
    )


def answers(folder: Path, warnings: list[str]) -> tuple[Score | None, Score | None, list[AnswerChange]]:
    """The scores of both students, and a few items gained and lost."""
    before = list(read_lines(folder / "before.jsonl", Judged, warnings))
    after = {record.id: record for record in read_lines(folder / "after.jsonl", Judged, warnings)}
    changed = [(b, after[b.id]) for b in before if b.id in after and _rank(b) != _rank(after[b.id])]
    shown: list[AnswerChange] = []
    for gained in (True, False):
        of_family: dict[str, AnswerChange] = {}
        for b, a in changed:
            if (_rank(a) > _rank(b)) is gained:
                of_family.setdefault(b.family, _changed(b, a))
        shown += list(of_family.values())[: SHOWN // 2]
    return _score(before), _score(list(after.values())), shown


def _changed(before: Judged, after: Judged) -> AnswerChange:
    return AnswerChange(
        family=before.family,
        question=_clip(before.question),
        answer=_clip(before.answer),
        before=_clip(before.response),
        after=_clip(after.response),
        gained=_rank(after) > _rank(before),
    )


def _rank(record: Judged) -> tuple[bool, float]:
    """What says which of two answers to an item is the better one."""
    return record.correct, record.score


def _score(records: Sequence[Judged]) -> Score | None:
    if not records:
        return None
    return Score(
        n=len(records), correct=sum(r.correct for r in records), strict=sum(r.strict for r in records)
    )


def _said(value: object) -> str:
    """A text, or what the last of several chat turns says."""
    if isinstance(value, list) and value and isinstance(value[-1], dict):
        return str(value[-1].get("content", ""))
    return value if isinstance(value, str) else ""


def _last(messages: Sequence[Message]) -> str:
    return _clip(messages[-1]["content"]) if messages else ""


def _clip(text: str) -> str:
    return text if len(text) <= TEXT_LIMIT else text[:TEXT_LIMIT].rstrip() + " …"
