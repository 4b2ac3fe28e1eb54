"""The schema sent with a typed question: what a guided model must write, and in which order."""

from __future__ import annotations

from pydantic import BaseModel, Field

from synth.agents.parse import parse_json
from synth.agents.schema import schema_of


class Part(BaseModel):
    """A part with a default."""

    name: str
    why: str = ""


class Answer(BaseModel):
    """The thinking comes first."""

    reason: str = ""
    parts: list[Part] = Field(default_factory=list)
    best: Part | None = None
    counts: dict[str, int] = Field(default_factory=dict)
    default: int = 3


def test_every_field_is_asked_for_in_its_order_at_every_depth() -> None:
    """A guided model that may leave its reason out does. OpenAI's strict mode refuses anything less."""
    schema = schema_of(Answer)
    assert schema["required"] == ["reason", "parts", "best", "counts", "default"]
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["Part"]["required"] == ["name", "why"]
    assert schema["$defs"]["Part"]["additionalProperties"] is False
    assert schema["properties"]["counts"]["additionalProperties"] == {"type": "integer"}
    assert not any("default" in field for field in schema["properties"].values())


def test_where_nothing_guides_a_reply_may_lack_what_has_a_default() -> None:
    """The schema asks for more than the parser does."""
    assert parse_json('{"parts": [{"name": "a"}]}', Answer).parts[0].why == ""
