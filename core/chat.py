"""The vocabulary of one model call: what is asked, what comes back, who answers.

`Chat` is the interface every role is played behind, be it a vLLM server, another
endpoint or a program. Agents and the engine know nothing else of their models.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from synth.records import Message, Rejection, Sampling

__all__ = ["CallFailed", "Chat", "Dropped", "Leaving", "Reply", "Request", "call_key"]


class Leaving(Protocol):
    """Awaited when a request has its place at an endpoint and is about to go.

    `moved` names the server where it was cut off before, if it now goes to another: a repeat.
    """

    def __call__(self, moved: str = "") -> Awaitable[None]: ...


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a model. `stage`, `agent` and `record` (the seed's id) are bookkeeping and not
    part of the key; the calls of one record go to the same server where there are several.

    A single message of the role `text` is a text to be continued as it is, without a chat template.
    `schema` asks for JSON of that shape, by guided decoding where the endpoint has it.
    """

    messages: list[Message]
    sampling: Sampling
    schema: dict[str, Any] | None = None
    stage: str = ""
    agent: str = ""
    record: str = ""

    @property
    def plain(self) -> bool:
        """Whether this is a text to be continued."""
        return len(self.messages) == 1 and self.messages[0]["role"] == "text"


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `finish_reason` is the server's; `thinking` is split off the text.

    `seconds` is the time of the call that paid for it; `key` names it in the journal.
    """

    text: str
    finish_reason: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    thinking: str = ""
    key: str = ""

    @property
    def truncated(self) -> bool:
        """Whether the token limit cut it off; such a text is never an answer."""
        return self.finish_reason == "length"


class Chat(Protocol):
    """Whoever plays a role. `model` and `weights` identify the answers it gives."""

    role: str
    model: str
    tokens_made: int
    """Completion tokens paid for by this process."""

    @property
    def weights(self) -> str: ...

    @property
    def width(self) -> int:
        """Calls it takes at once, as far as is known by now; 0 where that does not matter."""
        ...

    async def ask(self, request: Request, n: int = 1, first: int = 0) -> list[Reply]:
        """`n` independent samples, numbered from `first`. Raises `CallFailed`."""
        ...


class CallFailed(Exception):
    """A call that got no usable answer after its retries; the sample is rejected, not the run.

    `kind` is the class of the last fault, `raw` what the endpoint sent, if anything.
    """

    def __init__(self, kind: str, detail: str, attempts: int = 1, raw: str = "") -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail
        self.attempts = attempts
        self.raw = raw


@dataclass
class Dropped(Exception):
    """Raised in a graph node to give a sample up, with the reason that is counted."""

    reason: str
    node: str
    detail: str = ""
    raw: str = ""
    attempts: int = 1
    error: str = ""
    data: dict[str, Any] = field(default_factory=dict)

    def rejection(self, seed_id: str, round_number: int, stage: str) -> Rejection:
        """The record that is kept of it."""
        return Rejection(
            seed_id=seed_id,
            round=round_number,
            stage=stage,
            node=self.node,
            reason=self.reason,
            detail=self.detail,
            attempts=self.attempts,
            error=self.error,
            raw=self.raw,
            data=self.data,
        )


def call_key(
    model: str, weights: str, messages: list[Message], sampling: bytes, schema: bytes, index: int
) -> bytes:
    """Sixteen bytes that name one call: whom, with which weights, what, how, which sample.

    `sampling` and `schema` come serialised because they are the same for many calls.
    """
    digest = hashlib.blake2b(digest_size=16)
    digest.update(orjson.dumps([model, weights, index], option=orjson.OPT_SORT_KEYS))
    digest.update(orjson.dumps(messages, option=orjson.OPT_SORT_KEYS))
    digest.update(sampling)
    digest.update(schema)
    return digest.digest()
