"""The flow file as JSON Schema (draft 2020-12), for completion and checking in editors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from synth.config.flowfile import FlowFile
from synth.config.overlay import OVER

__all__ = ["flow_schema"]

Schema = dict[str, Any]


def flow_schema(params: Mapping[str, type[BaseModel]]) -> Schema:
    """The schema of a whole flow file; `params` are the built-in flows' models of `with`.

    A flow of the user's own (`module:function`) may have anything under `with`.
    """
    models: list[type[BaseModel]] = [FlowFile, *params.values()]
    references, shared = models_json_schema([(model, "validation") for model in models], by_alias=True)
    definitions = shared["$defs"]
    root = definitions.pop(FlowFile.__name__)
    keys = root["properties"]
    keys["flow"] |= {"type": "string", "anyOf": [{"enum": sorted(params)}, {"pattern": r"^[\w.]+:\w+$"}]}
    keys["profiles"]["additionalProperties"] = {
        "type": "object",
        "propertyNames": {"enum": sorted([OVER, *(key for key in keys if key != "profiles")])},
    }
    rules = [_rule(name, model, references[(model, "validation")]) for name, model in params.items()]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "synth flow file",
        **{key: value for key, value in root.items() if key != "title"},
        **({"allOf": rules} if rules else {}),
        "$defs": definitions,
    }


def _rule(name: str, model: type[BaseModel], reference: Schema) -> Schema:
    """What `flow: name` says about `with`."""
    needs = any(info.is_required() for info in model.model_fields.values())
    then: Schema = {"properties": {"with": reference}, **({"required": ["with"]} if needs else {})}
    return {"if": {"properties": {"flow": {"const": name}}, "required": ["flow"]}, "then": then}
