"""A simulated API: functions described by the teacher, executed from their own descriptions."""

from __future__ import annotations

import random
from typing import Any, Literal

import orjson
from pydantic import BaseModel

__all__ = ["Api", "Apis", "Field", "Known", "Parameter", "call", "schema_of"]

Kind = Literal["string", "integer", "number", "boolean", "array"]


class Field(BaseModel):
    """One field of what a function returns. `examples` are values it may have."""

    name: str
    type: Kind = "string"
    description: str = ""
    examples: list[str | int | float | bool] = []


class Parameter(Field):
    """One parameter. `choices` are its only values where there are any."""

    required: bool = True
    choices: list[str] = []


class Known(BaseModel):
    """A call whose result is known: from an example in the code, for one."""

    arguments: dict[str, str | int | float | bool | None] = {}
    returns: dict[str, str | int | float | bool | None] = {}


class Api(BaseModel):
    """A function that can be called."""

    name: str
    description: str
    parameters: list[Parameter] = []
    returns: list[Field] = []
    known: list[Known] = []


class Apis(BaseModel):
    """The functions of a library."""

    apis: list[Api]


def schema_of(api: Api) -> dict[str, Any]:
    """The function as the OpenAI interface describes it, its parameters as a JSON schema."""
    properties: dict[str, Any] = {}
    for parameter in api.parameters:
        about: dict[str, Any] = {"type": parameter.type, "description": parameter.description}
        if parameter.type == "array":
            about["items"] = {}
        if parameter.choices:
            about["enum"] = parameter.choices
        properties[parameter.name] = about
    parameters = {
        "type": "object",
        "properties": properties,
        "required": [parameter.name for parameter in api.parameters if parameter.required],
        "additionalProperties": False,
    }
    return {"name": api.name, "description": api.description, "parameters": parameters}


def call(apis: list[Api], name: str, arguments: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """What a call returns, and what is wrong with it (or nothing): arguments are checked against the
    schema; the result is the known one, else drawn from the description, the same for the same call."""
    import jsonschema

    api = next((one for one in apis if one.name == name), None)
    if api is None:
        return {"error": f"there is no function {name}"}, f"there is no function {name}"
    try:
        jsonschema.validate(arguments, schema_of(api)["parameters"])
    except jsonschema.ValidationError as error:
        return {"error": error.message}, f"{name}: {error.message}"
    known = next((one.returns for one in api.known if one.arguments == arguments and one.returns), None)
    if known is not None:
        return dict(known), ""
    rng = random.Random(orjson.dumps([name, arguments], option=orjson.OPT_SORT_KEYS))
    fields = api.returns or [Field(name="result")]
    return {field.name: _value(field, arguments, rng) for field in fields}, ""


def _value(field: Field, arguments: dict[str, Any], rng: random.Random) -> Any:
    """An argument of the same name comes back as it was given."""
    if field.name in arguments:
        return arguments[field.name]
    if field.examples:
        return rng.choice(field.examples)
    drawn: dict[str, Any] = {
        "string": f"{field.name}-{rng.randrange(1000, 10000)}",
        "integer": rng.randrange(1, 100),
        "number": round(rng.uniform(1, 100), 2),
        "boolean": rng.random() < 0.5,
        "array": [f"{field.name}-{rng.randrange(100, 1000)}" for _ in range(rng.randrange(1, 4))],
    }
    return drawn[field.type]
