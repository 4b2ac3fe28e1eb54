"""Type annotations of the config models, walked along a key path and put into words."""

from __future__ import annotations

import collections.abc as abc
import types
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

__all__ = ["child", "default_of", "describe", "description_of", "fields_of", "is_list", "literals", "options"]

_WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    Path: "a path",
}
_PLURALS: dict[Any, str] = {int: "whole numbers", float: "numbers"}
_LISTS = (list, tuple, set, frozenset, abc.Sequence)
_MAPPINGS = (dict, abc.Mapping)


def options(annotation: Any) -> list[Any]:
    """The members of a union without None; a single type is its own only member."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, types.UnionType):
        return [one for member in get_args(annotation) for one in options(member)]
    return [] if annotation in (None, type(None)) else [annotation]


def fields_of(annotation: Any) -> dict[str, Any]:
    """Keys a section may have, with the annotation of each; empty if it may have any."""
    if (get_origin(annotation) or annotation) in _MAPPINGS:
        key, value = get_args(annotation) or (str, Any)
        return dict.fromkeys(literals(key), value)
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return {}
    return {info.alias or name: info.annotation for name, info in annotation.model_fields.items()}


def description_of(section: Any, key: str) -> str:
    """What a section's model says of a key, in one line; empty if nothing."""
    info = _field(section, key)
    text = (info.description or "") if info else ""
    return " ".join(text.split()).rstrip(".")


def default_of(section: Any, key: str) -> str:
    """A key's default as it is written in YAML; empty if it has none worth telling."""
    info = _field(section, key)
    if info is None or not isinstance(info.default, str | int | float):
        return ""
    return _yaml(info.default)


def is_list(annotation: Any) -> bool:
    """Whether several values are expected."""
    return (get_origin(annotation) or annotation) in _LISTS


def child(annotation: Any, item: str | int) -> Any:
    """The annotation of what stands under a key or an index; Any if nothing says so."""
    origin, args = get_origin(annotation) or annotation, get_args(annotation)
    if origin in _MAPPINGS and len(args) == 2:
        return args[1]
    if origin in _LISTS and args:
        fixed = origin is tuple and args[-1] is not Ellipsis
        return args[item] if fixed and isinstance(item, int) and item < len(args) else args[0]
    return fields_of(annotation).get(str(item), Any)


def literals(annotation: Any) -> list[str]:
    """The words a value may be, as they are written in YAML."""
    words: list[str] = []
    for option in options(annotation):
        if get_origin(option) is Literal:
            words += [_yaml(value) for value in get_args(option)]
        elif isinstance(option, type) and issubclass(option, Enum):
            words += [_yaml(member.value) for member in option]
    return words


def describe(annotation: Any) -> str:
    """What is expected, for a person: `a whole number`, `one of: a, b`, `a list of text`."""
    words = literals(annotation)
    said = [_one(option) for option in options(annotation) if not literals(option)]
    if words:
        said.append(f"one of: {', '.join(words)}" if len(words) > 1 else f"'{words[0]}'")
    return " or ".join(dict.fromkeys(said)) or "nothing"


def _one(annotation: Any) -> str:
    origin, args = get_origin(annotation) or annotation, get_args(annotation)
    if origin in _LISTS:
        return (
            f"a list of {_PLURALS.get(args[0], describe(args[0]))}"
            if args and args[0] is not Any
            else "a list"
        )
    if origin in _MAPPINGS:
        return "a section"
    keys = fields_of(annotation)
    if keys:
        return f"a section with {', '.join(list(keys)[:4])}{', ...' if len(keys) > 4 else ''}"
    return _WORDS.get(annotation, "another value")


def _field(section: Any, key: str) -> FieldInfo | None:
    fields: dict[str, FieldInfo] = getattr(section, "model_fields", {})
    return next((info for name, info in fields.items() if (info.alias or name) == key), None)


def _yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
