"""From a row of any table to a `Question`, with messages that name the row."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, cast, get_args

from synth.config.flowfile import DataSource
from synth.config.suggest import nearest
from synth.errors import DataError
from synth.records import AnswerKind, Question
from synth.verify.constraints import Constraint, constraint

__all__ = ["check_fields", "fields_read", "to_question"]

TAKEN = ("answer_kind", "solution", "choices", "instruction_id_list", "kwargs")
"""Fields taken over where a row has them."""


def fields_wanted(source: DataSource) -> tuple[str, ...]:
    """The fields a row must have."""
    named = (source.question, source.answer, source.skill)
    return tuple(name for name in named if name is not None)


def fields_read(source: DataSource) -> tuple[str, ...]:
    """All fields that are looked at: the wanted ones, and those taken over where they are there."""
    return tuple(dict.fromkeys((*fields_wanted(source), *TAKEN)))


def check_fields(names: Collection[str], source: DataSource, where: str) -> None:
    """Raise `DataError` for the first wanted field that is not among `names`."""
    for name in fields_wanted(source):
        if name not in names:
            near = nearest(name, names)
            hint = f"did you mean {near!r}? " if near else ""
            raise DataError(
                f"{where}: no field {name!r}; it has {', '.join(map(repr, names)) or 'none'}",
                f"{hint}name the right field in the flow file: question, answer or skill of this source",
            )


def to_question(row: Mapping[str, Any], source: DataSource, where: str, label: str) -> Question:
    """The question of one row. `where` names it in errors, `label` in the lineage.

    A row's `answer_kind` (in place of the source's), `solution` (text), `choices` (list of texts) and
    constraints (`instruction_id_list` and `kwargs`, as in IFEval) are taken over where it has them;
    with `answer_after`, what stands before the mark is the solution. Raises `DataError`.
    """
    check_fields(row.keys(), source, where)
    answer = _text(row[source.answer], source.answer, where) if source.answer else ""
    solution = row.get("solution") if source.answer != "solution" else None
    if source.answer and source.answer_after is not None:
        solution, mark, answer = answer.rpartition(source.answer_after)
        if not mark:
            raise DataError(
                f"{where}: the field {source.answer!r} does not contain {source.answer_after!r}",
                "correct answer_after, or leave it out if the field holds the bare answer",
            )
    choices = row.get("choices")
    constraints = _constraints(row, where)
    kinds = tuple(one["type"] for one in constraints)
    skills = _skills(row[source.skill], source.skill, where) if source.skill else kinds
    return Question.of(
        _text(row[source.question], source.question, where),
        answer.strip(),
        meta={"constraints": constraints} if constraints else None,
        kind=_kind(row, source, where),
        family=skills[0] if skills else "",
        skills=skills,
        solution=solution.strip() if isinstance(solution, str) else "",
        choices=tuple(map(str, choices)) if isinstance(choices, list | tuple) else (),
        source=label,
        licence=source.licence,
    )


def _kind(row: Mapping[str, Any], source: DataSource, where: str) -> AnswerKind:
    """What the row's answer looks like, if it says so in the words of a flow file; else the source's."""
    said = row.get("answer_kind")
    if said is None:
        return source.kind
    if said not in get_args(AnswerKind):
        raise DataError(
            f"{where}: the answer_kind {said!r} is none of {', '.join(get_args(AnswerKind))}",
            "correct the row, or take it out and name it in the flow file",
        )
    return cast(AnswerKind, said)


def _text(value: object, name: str, where: str) -> str:
    if value is None or (isinstance(value, str) and not value.strip()):
        raise DataError(f"{where}: the field {name!r} is empty", "fill it in, or take the row out")
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if (
        isinstance(value, list | tuple)
        and value
        and all(isinstance(item, str | int | float) for item in value)
    ):
        return ", ".join(map(str, value))
    found = repr(value)
    raise DataError(
        f"{where}: the field {name!r} must be a text, a number or a list of these; "
        f"found {type(value).__name__} {found[:60]}",
        "correct the row, or name another field in the flow file",
    )


def _constraints(row: Mapping[str, Any], where: str) -> list[Constraint]:
    """The constraints of a prompt, each with an id and its arguments; none where there is no such field."""
    kinds, args = row.get("instruction_id_list"), row.get("kwargs")
    if kinds is None:
        return []
    if not isinstance(kinds, list) or not isinstance(args, list) or len(kinds) != len(args):
        raise DataError(
            f"{where}: instruction_id_list and kwargs do not go together",
            "both are lists of one length: an id, and an object with its arguments",
        )
    return [constraint(kind, given, where) for kind, given in zip(kinds, args, strict=True)]


def _skills(value: object, name: str, where: str) -> tuple[str, ...]:
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return tuple(value)
    return (_text(value, name, where),)
