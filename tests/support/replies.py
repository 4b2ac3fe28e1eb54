"""What the scripted server says when a test gives no reply of its own: a hash of the question.

Plain requests are echoed with the digest of the request; a request with a schema is
answered with an instance of the schema. Both are functions of the request alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from random import Random
from typing import Any

import orjson

__all__ = ["default_reply", "instance", "schema_of"]


def default_reply(body: Mapping[str, Any], index: int, honour: bool) -> str:
    """Text for choice `index`; the same for all choices at temperature 0."""
    messages: Sequence[Mapping[str, Any]] = body["messages"]
    variant = index if body.get("temperature", 1) else 0
    content = orjson.dumps([messages, body.get("seed"), variant])
    digest = blake2b(content, digest_size=8).hexdigest()
    schema = schema_of(body) if honour else None
    if schema is None:
        last = messages[-1].get("content") if messages else ""
        return f"{str(last)[:200]} [{digest[:6]}]"
    made = instance(schema, Random(digest))
    return made if schema.get("enum") and isinstance(made, str) else orjson.dumps(made).decode()


def schema_of(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The JSON schema a request asks for, from `response_format` or `structured_outputs`."""
    wanted = body.get("response_format") or {}
    if wanted.get("type") == "json_schema":
        schema: Mapping[str, Any] = wanted["json_schema"]["schema"]
        return schema
    structured = body.get("structured_outputs") or {}
    if "choice" in structured:
        return {"enum": structured["choice"]}
    if "json" in structured:
        given = structured["json"]
        read: Mapping[str, Any] = orjson.loads(given) if isinstance(given, str) else given
        return read
    return {"type": "object"} if "json_object" in (wanted.get("type"), *structured) else None


def instance(schema: Mapping[str, Any], rng: Random, root: Mapping[str, Any] | None = None) -> Any:
    """A value that follows the schema (type, enum, const, $ref, anyOf, lengths, bounds)."""
    root = schema if root is None else root
    if "$ref" in schema:
        target: Any = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return instance(target, rng, root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return rng.choice(schema["enum"])
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return instance(schema[union][0], rng, root)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if kind == "object":
        return {name: instance(part, rng, root) for name, part in schema.get("properties", {}).items()}
    if kind == "array":
        return [instance(schema.get("items", {}), rng, root) for _ in range(schema.get("minItems", 1))]
    return _scalar(kind if isinstance(kind, str) else kind[0], schema, rng)


def _scalar(kind: str, schema: Mapping[str, Any], rng: Random) -> Any:
    if kind in ("integer", "number"):
        low = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
        high = schema.get("maximum", schema.get("exclusiveMaximum", low + 101) - 1)
        return rng.randint(int(low), max(int(low), int(high)))
    if kind == "boolean":
        return rng.random() < 0.5
    if kind == "null":
        return None
    text = f"text {rng.getrandbits(32):08x}"
    return text.ljust(schema.get("minLength", 0), ".")[: schema.get("maxLength")]
