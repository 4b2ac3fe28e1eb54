"""Dialogues from files and the hub, in the shapes they come in, as one `Conversation`.

The shape is seen from a row's fields:

| shape | fields | a turn |
|---|---|---|
| WildFeedback | `prompt` with `rejected`, `chosen` or both, and `user_preference` | as below, or a text |
| WildChat | `conversation` | `{"role", "content"}` |
| OpenAI | `messages` | `{"role", "content"}` |
| ShareGPT | `conversations` | `{"from": "human" or "gpt", "value"}` |

A user's turn may say what its author thought of the reply before it: `"satisfaction":
"SAT"`, `"DSAT"` or `"neither"`. In the WildFeedback shape the fields say it: `rejected`
displeased, and `user_preference` is the user's next turn; `chosen` pleased. In csv files
the cells hold JSON.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import orjson

from synth.config.flowfile import DataSource
from synth.data.overlap import normalise
from synth.data.source import draw
from synth.errors import DataError
from synth.records import Message, Record, content_id

__all__ = ["Conversation", "Turn", "read_conversations", "to_conversation"]

Role = Literal["system", "user", "assistant"]
Satisfaction = Literal["", "SAT", "DSAT", "neither"]

ROLES: dict[str, Role] = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
}
"""How the shapes call who speaks."""
TAGS: dict[str, Satisfaction] = {"sat": "SAT", "dsat": "DSAT", "neither": "neither", "": ""}


class Turn(Record):
    """One turn. `satisfaction` stands with a reply: what the user thought of it, where the data say so."""

    role: Role
    content: str
    satisfaction: Satisfaction = ""

    @property
    def message(self) -> Message:
        """As it is sent to a model."""
        return {"role": self.role, "content": self.content}


class Conversation(Record):
    """A dialogue. `source` is `file:line`."""

    id: str
    turns: tuple[Turn, ...]
    source: str = ""
    licence: str = ""

    @property
    def opening(self) -> str:
        """The user's first turn: what tells a conversation from the held-out questions."""
        return next((turn.content for turn in self.turns if turn.role == "user"), "")


def read_conversations(
    source: DataSource, *, base: Path, exclude: Collection[str] = ()
) -> Iterator[Conversation]:
    """The conversations of a source, without those that open with a text of `exclude`.

    Paths, `size` and `seed` mean what they mean for questions. Raises `DataError`: what
    `synth.data.files` raises, a row of no known shape, or a turn that cannot be read.
    """
    if source.source in ("tasks", "instructions", "topics"):
        raise DataError(
            f"the built-in source {source.source!r} makes questions, not conversations",
            "name a file, a folder or hub:owner/name, or take out shape: conversations",
        )
    banned = frozenset(normalise(text) for text in exclude)
    every = (to_conversation(row, source, where, label) for row, where, label in _rows(source, base))
    kept = (conversation for conversation in every if normalise(conversation.opening) not in banned)
    yield from kept if source.size is None else draw(kept, source.size, source.seed)


def _rows(source: DataSource, base: Path) -> Iterator[tuple[Mapping[str, Any], str, str]]:
    if source.source.startswith("hub:"):
        from synth.data.hub import hub_rows

        return hub_rows(source)
    from synth.data.files import file_rows

    return file_rows(source, base)


def to_conversation(row: Mapping[str, Any], source: DataSource, where: str, label: str) -> Conversation:
    """The conversation of one row; `where` names it in errors, `label` in lineages."""
    if row.get("prompt") is not None and (row.get("chosen") is not None or row.get("rejected") is not None):
        turns = _wild_feedback(row, where)
    else:
        field = next((name for name in FIELDS if row.get(name) is not None), None)
        if field is None:
            found = ", ".join(map(repr, row)) or "none"
            raise DataError(
                f"{where}: no conversation in it; its fields: {found}",
                "a row has conversation, messages or conversations; or prompt with rejected or chosen",
            )
        turns = _turns(row[field], where, field)
    if not any(turn.role == "user" and turn.content.strip() for turn in turns):
        raise DataError(f"{where}: no turn of the user's", "take the row out")
    identity = content_id([turn.model_dump() for turn in turns])
    return Conversation(id=identity, turns=tuple(turns), source=label, licence=source.licence)


FIELDS = ("conversation", "messages", "conversations")
"""Fields that hold a whole dialogue, of WildChat, OpenAI and ShareGPT."""


def _wild_feedback(row: Mapping[str, Any], where: str) -> list[Turn]:
    """The turns so far, the reply that displeased and what the user said of it, the reply that pleased."""
    turns = _turns(row["prompt"], where, "prompt")
    if row.get("rejected") is not None:
        turns.append(Turn(role="assistant", content=_reply(row, "rejected", where), satisfaction="DSAT"))
        if row.get("user_preference") is not None:
            turns.append(Turn(role="user", content=_reply(row, "user_preference", where)))
    if row.get("chosen") is not None:
        turns.append(Turn(role="assistant", content=_reply(row, "chosen", where), satisfaction="SAT"))
    return turns


def _reply(row: Mapping[str, Any], field: str, where: str) -> str:
    """A text, a message, a list of texts, or a list whose last element is the message."""
    value = _decoded(row[field], where, field)
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return "\n".join(value)
    if isinstance(value, list) and value:
        value = value[-1]
    if isinstance(value, Mapping):
        return _content(value, where, field)
    if not isinstance(value, str):
        raise _fault(where, field, value, "a text or a message")
    return value


def _turns(value: object, where: str, field: str) -> list[Turn]:
    decoded = _decoded(value, where, field)
    if isinstance(decoded, str):
        return [Turn(role="user", content=decoded)]
    if not isinstance(decoded, list):
        raise _fault(where, field, decoded, "a list of turns")
    turns: list[Turn] = []
    for index, item in enumerate(decoded):
        place = f"{field}[{index}]"
        if not isinstance(item, Mapping):
            raise _fault(where, place, item, "a turn such as {role, content}")
        if turns and turns[-1].role == "assistant" and (tag := _tag(item, where, place)):
            turns[-1] = turns[-1].model_copy(update={"satisfaction": tag})
        turns.append(Turn(role=_role(item, where, place), content=_content(item, where, place)))
    return turns


def _role(item: Mapping[str, Any], where: str, place: str) -> Role:
    said = item.get("role", item.get("from"))
    role = ROLES.get(said.lower()) if isinstance(said, str) else None
    if role is None:
        raise DataError(
            f"{where}: {place}: nobody known speaks here: {said!r}",
            f"a turn has role (or from) with one of {', '.join(ROLES)}; take others out",
        )
    return role


def _content(item: Mapping[str, Any], where: str, place: str) -> str:
    """The turn's text; of a content in parts, the texts in it."""
    value = item.get("content", item.get("value"))
    if isinstance(value, list) and all(isinstance(part, Mapping) for part in value):
        value = "\n".join(str(part.get("text") or "") for part in value)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _fault(where, place, value, "content (or value) with a text")
    return value


def _tag(item: Mapping[str, Any], where: str, place: str) -> Satisfaction:
    said = item.get("satisfaction")
    tag = TAGS.get(str(said or "").lower())
    if tag is None:
        raise DataError(f"{where}: {place}: satisfaction is {said!r}", "write SAT, DSAT or neither")
    return tag


def _decoded(value: object, where: str, field: str) -> Any:
    """What a cell holds: in csv files turns stand as JSON. A text that merely begins like JSON stays."""
    if not isinstance(value, str) or (field not in FIELDS and value[:1] not in ("[", "{")):
        return value
    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError as problem:
        if field not in FIELDS:
            return value
        raise DataError(
            f"{where}: {field} is not JSON: {problem.msg} at column {problem.colno}",
            "write the dialogue as a JSON list of turns",
        ) from problem
    first = found[0] if isinstance(found, list) and found else found
    turn = isinstance(first, Mapping) and ("content" in first or "value" in first)
    return found if turn or field in FIELDS else value


def _fault(where: str, place: str, value: object, wanted: str) -> DataError:
    found = repr(value)
    return DataError(
        f"{where}: {place}: expected {wanted}; found {type(value).__name__} {found[:60]}",
        "correct the row, or take it out",
    )
