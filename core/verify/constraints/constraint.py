"""A constraint as data, and whether data is a valid constraint."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypedDict

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from synth.config.suggest import nearest
from synth.errors import DataError
from synth.verify.constraints.checkers import CHECKERS, meant

__all__ = ["Constraint", "arguments", "constraint"]


class Constraint(TypedDict):
    """One constraint: an IFEval id, and the arguments that IFEval calls kwargs."""

    type: str
    args: dict[str, Any]


def constraint(kind: object, args: object, where: str) -> Constraint:
    """A valid constraint. An argument that is null counts as left out.

    `where` names the row in errors. Raises `DataError`: an unknown id, a wrong argument.
    """
    if kind not in CHECKERS:
        raise DataError(f"{where}: there is no constraint type {kind!r}", meant(str(kind)))
    if not isinstance(args, Mapping):
        raise DataError(
            f"{where}: the arguments of {kind!r} are {type(args).__name__}, not an object",
            'write them as {"name": value}; {} where a type takes none',
        )
    given = {str(name): value for name, value in args.items() if value is not None}
    try:
        return Constraint(
            type=str(kind), args=arguments(str(kind)).model_validate(given).model_dump(mode="json")
        )
    except ValidationError as problem:
        raise _wrong(str(kind), problem, where) from None


@cache
def arguments(kind: str) -> type[BaseModel]:
    """The arguments of a type as a model, made from its checker's parameters."""
    parameters = list(inspect.signature(CHECKERS[kind], eval_str=True).parameters.values())[1:]
    fields: dict[str, Any] = {parameter.name: (parameter.annotation, ...) for parameter in parameters}
    return create_model(kind, __config__=ConfigDict(extra="forbid"), **fields)


def _wrong(kind: str, problem: ValidationError, where: str) -> DataError:
    """One fault of the arguments, an unknown name before all, and what they should be."""
    names: Sequence[str] = tuple(arguments(kind).model_fields)
    fault = min(problem.errors(), key=lambda error: error["type"] != "extra_forbidden")
    name = str(fault["loc"][0])
    near = nearest(name, names) if fault["type"] == "extra_forbidden" else None
    meant = f"did you mean {near!r}? " if near else ""
    takes = f"it takes {', '.join(names)}" if names else "it takes none"
    return DataError(f"{where}: argument {name!r} of {kind!r}: {fault['msg']}", f"{meant}{takes}")
