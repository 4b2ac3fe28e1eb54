"""pydantic's errors, each brought to one key path and one expected type.

A value that fits no member of a union makes pydantic report every member; here the
member whose outer shape fits speaks for all, or the union as a whole does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import ErrorDetails

from synth.config.shape import child, fields_of, literals, options
from synth.config.tree import KeyPath

__all__ = ["Fault", "find_faults"]


@dataclass(frozen=True)
class Fault:
    """One fault: pydantic's error type, the value's key path, its annotation and its section's."""

    kind: str
    path: KeyPath
    annotation: Any
    parent: Any
    message: str
    context: dict[str, Any]


def find_faults(errors: Sequence[ErrorDetails], annotation: Any, at: KeyPath = ()) -> list[Fault]:
    """The faults of the value at `at`, which should have been of type `annotation`."""
    faults: list[Fault] = []
    unions: dict[KeyPath, tuple[Any, Any, dict[str, list[ErrorDetails]]]] = {}
    for error in errors:
        loc = error["loc"]
        if loc and loc[-1] == "[key]":  # a mapping whose keys are limited to certain words
            loc, error["type"] = loc[:-1], "extra_forbidden"
        depth, here, parent = _descend(annotation, loc)
        if depth == len(loc):
            faults.append(_fault(error, (*at, *loc), here, parent))
        else:
            tags = unions.setdefault((*at, *loc[:depth]), (here, parent, {}))[2]
            rest = error.copy()
            rest["loc"] = loc[depth + 1 :]
            tags.setdefault(str(loc[depth]), []).append(rest)
    for path, (union, parent, tags) in unions.items():
        faults += _of_union(path, union, parent, tags)
    return faults


def _descend(annotation: Any, loc: Sequence[str | int]) -> tuple[int, Any, Any]:
    """How far the location leads before a union, the annotation there and the one above it."""
    parent = None
    for depth, item in enumerate(loc):
        members = options(annotation)
        if len(members) > 1:
            return depth, annotation, parent
        parent = members[0] if members else None
        annotation = child(parent, item)
    return len(loc), annotation, parent


def _of_union(path: KeyPath, union: Any, parent: Any, tags: dict[str, list[ErrorDetails]]) -> list[Fault]:
    fitting = [tag for tag, errors in tags.items() if all(error["loc"] for error in errors)]
    for tag in sorted(fitting, key=lambda tag: len(tags[tag])):
        for member in options(union):
            if _is_tag(tag, member):
                return find_faults(tags[tag], member, path)
    refusals = [error for errors in tags.values() for error in errors]
    said = [error for error in refusals if not error["type"].endswith(("_type", "literal_error", "enum"))]
    return [_fault(said[0] if len(said) == 1 else {**refusals[0], "type": "union"}, path, union, parent)]


def _is_tag(tag: str, member: Any) -> bool:
    """Whether pydantic calls the member so: by its class, its type, or a discriminating word."""
    words = [word for kind in fields_of(member).values() for word in literals(kind)]
    spelled = str(member).replace(" ", "").lower()
    return tag == getattr(member, "__name__", "") or tag.replace(" ", "") == spelled or tag in words


def _fault(error: ErrorDetails, path: KeyPath, annotation: Any, parent: Any) -> Fault:
    return Fault(error["type"], path, annotation, parent, error["msg"], dict(error.get("ctx", {})))
