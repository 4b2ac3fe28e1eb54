"""When an answer is good enough: each alone, several together, and against the parent's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from synth.chat import Dropped
from synth.data.overlap import normalise
from synth.flows.agentinstruct.forms import Answer
from synth.flows.agentinstruct.forms.base import found_in
from synth.flows.agentinstruct.forms.run import Code, Output
from synth.flows.agentinstruct.item import Answered, Item
from synth.flows.agentinstruct.params import Params
from synth.sandbox import Limits

__all__ = ["agreed", "differs", "wrong"]

Try = tuple[Answer, str]
"""An answer and what is wrong with it, or nothing."""


async def wrong(item: Item, answer: Answer, limits: Limits) -> str:
    """What is wrong with one answer, or nothing. Abstaining is never wrong in itself."""
    if not answer.answerable:
        return ""
    fault = item.form.wrong(answer, item.draft, item.text)
    if not fault and "in-text" in item.type.checks:
        told = item.form.tell(answer, item.draft)
        fault = "" if found_in(told, item.text) else "the answer does not occur in the text"
    if not fault and isinstance(item.form, Code | Output):
        fault = await item.form.fails(answer, item.draft, limits)  # type: ignore[arg-type]
    if not fault and "fails-first" in item.type.checks and isinstance(item.form, Code):
        fails = await item.form.quoted_fails(item.draft, limits)  # type: ignore[arg-type]
        fault = "" if fails else "the code that the task quotes has no mistake its tests would find"
    return fault


def agreed(item: Item, tries: Sequence[Try], params: Params) -> tuple[Answer, dict[str, Any]]:
    """The answer that enough tries come to, with what speaks for it.

    Raises `Dropped`: `failed-check`, `abstained`, `answered` (where abstaining is right), `disagreed`.
    """
    if item.wants_abstention:
        return _abstained(item, tries)
    sound = [answer for answer, fault in tries if not fault and answer.answerable]
    if not sound:
        faults = [fault for _, fault in tries if fault]
        reason = "failed-check" if faults else "abstained"
        detail = faults[0] if faults else "the response agent finds no answer in the text"
        raise Dropped(reason, "answer", detail, raw=tries[0][0].model_dump_json(), attempts=2 * len(tries))
    if not item.form.agrees:
        return sound[0], {}
    if item.type.form == "number":
        return _within_ten(sound, len(tries), params)
    groups: dict[str, list[Answer]] = {}
    for answer in sound:
        groups.setdefault(item.form.key(answer, item.draft), []).append(answer)
    best = max(groups.values(), key=len)
    if len(best) < min(params.agreement, params.samples):
        raise _disagreed(sound, f"{len(best)} of {len(tries)} answers agree, not {params.agreement}")
    return best[0], {"agree": len(best), "of": len(tries)}


def _abstained(item: Item, tries: Sequence[Try]) -> tuple[Answer, dict[str, Any]]:
    answers = [answer for answer, _ in tries if answer.answerable]
    if answers:
        raise Dropped(
            "answered",
            "answer",
            f"{len(answers)} of {len(tries)} tries answer what the text should not say",
            raw=answers[0].model_dump_json(),
        )
    return tries[0][0], {"abstained": len(tries), "of": len(tries)}


def _within_ten(sound: list[Answer], count: int, params: Params) -> tuple[Answer, dict[str, Any]]:
    """The middle one of estimates in the same unit that all lie within a factor of ten."""
    units = Counter(map(_unit, sound))
    ordered = sorted(sound, key=lambda answer: float(answer.value))  # type: ignore[attr-defined]
    low, high = (float(answer.value) for answer in (ordered[0], ordered[-1]))  # type: ignore[attr-defined]
    if len(units) > 1:
        raise _disagreed(sound, f"{len(sound)} of {count} estimates, in {', '.join(map(repr, units))}")
    if high > 10 * low or len(sound) < min(params.agreement, params.samples):
        raise _disagreed(sound, f"{len(sound)} of {count} estimates, from {low:g} to {high:g}")
    return ordered[len(ordered) // 2], {"agree": len(sound), "of": count}


def _unit(answer: Answer) -> str:
    """The unit without case and plural."""
    return normalise(answer.unit).strip(" .").removesuffix("s")  # type: ignore[attr-defined]


def _disagreed(answers: Sequence[Answer], detail: str) -> Dropped:
    return Dropped("disagreed", "answer", detail, raw="\n".join(one.model_dump_json() for one in answers))


def differs(one: Answered, known: Mapping[str, Answered]) -> Dropped | None:
    """Why a refined task whose answer should have changed is given up, or None."""
    if one.item.expect != "differ" or one.item.parent is None:
        return None
    before = known.get(one.item.parent.id)
    if before is None:
        return Dropped("unverified", "compare", "the task it was made from has no answer to compare with")
    old, new = _plain(before), _plain(one)
    return (
        Dropped("same-answer", "compare", "the answer is that of the task it was made from", raw=new)
        if old == new
        else None
    )


def _plain(one: Answered) -> str:
    """An answer to be compared across a change of text: options by what they say, not by letter."""
    options = getattr(one.item.draft, "options", None)
    told = one.item.form.tell(one.answer, one.item.draft)
    if options and len(told) == 1:
        return normalise(options["ABCDEFGHIJ".index(told)])
    return normalise(told)
