"""The flow file's reference page, made from its models: every key with its kind, default and meaning."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from synth.config.flowfile import FlowFile
from synth.config.shape import describe, fields_of, options

__all__ = ["flow_reference"]

INTRODUCTION = """# The flow file

Every key of a flow file, made from the models that check it (`synth schema --markdown`). What is
required has to be written. A key that is not in this list is refused, with the nearest one that is;
`synth check FILE` finds every mistake at once.
"""


def flow_reference(params: Mapping[str, type[BaseModel]]) -> str:
    """The page as Markdown; `params` are the built-in flows' models of `with`."""
    parts = [INTRODUCTION, *_section("The whole file", FlowFile)]
    for model in _sections(FlowFile):
        parts += _section(f"`{model.__name__}`", model)
    seen: set[type[BaseModel]] = {FlowFile, *_sections(FlowFile)}
    for name, model in sorted(params.items()):
        parts += _section(f"`with:` of `{name}`", model)
        for inner in _sections(model, seen):
            parts += _section(f"`{inner.__name__}`", inner)
    return "\n".join(parts)


def _section(title: str, model: type[BaseModel]) -> list[str]:
    rows = [_row(info.alias or name, info) for name, info in model.model_fields.items()]
    about = "" if model is FlowFile else _line(model.__doc__ or "")
    return [
        f"## {title}\n",
        *([f"{about}\n"] if about else []),
        "| key | what | default | meaning |",
        "|---|---|---|---|",
        *rows,
        "",
    ]


def _row(key: str, info: FieldInfo) -> str:
    cells = (f"`{key}`", _kind(info.annotation), _default(info), _line(info.description or ""))
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _kind(annotation: Any) -> str:
    """What is expected, with a link to the section that describes it."""
    said = []
    for option in options(annotation):
        links = [f"[`{model.__name__}`](#{model.__name__.lower()})" for model in _models(option)]
        said += links or [describe(option)]
    return " or ".join(dict.fromkeys(said))


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    value = info.get_default(call_default_factory=True, validated_data={})
    if value is None:
        return "none"
    if isinstance(value, BaseModel):
        return "its defaults"
    plain = dict(value) if isinstance(value, MappingProxyType) else value
    return f"`{json.dumps(plain, default=list)}`" if plain or plain in (0, False) else "empty"


def _sections(model: type[BaseModel], seen: set[type[BaseModel]] | None = None) -> Iterator[type[BaseModel]]:
    """All models a model's fields lead to, each once, in the order they are met."""
    seen = {model} if seen is None else seen
    for info in model.model_fields.values():
        for one in _models(info.annotation):
            if one not in seen:
                seen.add(one)
                yield one
                yield from _sections(one, seen)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Models an annotation may hold, in lists, mappings and unions too."""
    for option in options(annotation):
        if isinstance(option, type) and issubclass(option, BaseModel):
            yield option
        elif not (isinstance(option, type) and fields_of(option)):
            for inner in getattr(option, "__args__", ()):
                if inner is not Ellipsis and not isinstance(inner, str):
                    yield from _models(inner)


def _line(text: str) -> str:
    return " ".join(text.split())
