"""The JSON schema an answer is decoded under: whole objects, their fields in the order the model has them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

__all__ = ["schema_of"]


def schema_of(shape: type[BaseModel]) -> dict[str, Any]:
    """A model's schema in which every field is required and no other allowed.

    A field with a default is one that a reply may lack where nothing guides it. Under guidance it is
    asked for: a model that may leave its reason out does, and what follows is then given without a
    thought. Endpoints with a strict mode (OpenAI's) take no other schema.
    """
    return _whole(shape.model_json_schema())


def _whole(part: dict[str, Any]) -> dict[str, Any]:
    """A schema and all within it."""
    made = {key: value for key, value in part.items() if key != "default"}
    for key in ("properties", "$defs"):
        if key in made:
            made[key] = {name: _whole(inner) for name, inner in made[key].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(made.get(key), dict):
            made[key] = _whole(made[key])
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        if key in made:
            made[key] = [_whole(inner) for inner in made[key]]
    if "properties" in made:
        made["required"] = list(made["properties"])
        made.setdefault("additionalProperties", False)
    return made
