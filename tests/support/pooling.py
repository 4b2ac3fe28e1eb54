"""What vLLM's pooling models answer: /pooling, /classify and /v1/embeddings, with scripted numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import orjson

from tests.support.load import tokens

__all__ = ["ROUTES", "Score", "numbers", "pooled", "readable"]

ROUTES = ("/pooling", "/classify", "/v1/embeddings")
Score = Callable[[str, Sequence[Mapping[str, Any]]], Sequence[Any]]
"""From (route, messages) to rows of a pooling, class probabilities, or a vector."""


def readable(route: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """The body with its `route`, and with a text to embed as a message."""
    messages = body.get("messages", [{"role": "text", "content": body.get("input")}])
    return {**body, "messages": messages, "route": route}


def numbers(route: str, messages: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Numbers that depend on the messages alone: one row, two classes, or eight dimensions."""
    digest = blake2b(orjson.dumps(messages), digest_size=8).digest()
    found = [byte / 255 for byte in digest]
    return {"/pooling": [found[:2]], "/classify": found[:2]}.get(route, found)


def pooled(body: Mapping[str, Any], score: Score) -> dict[str, Any]:
    """The reply in the shape vLLM 0.32 gives it."""
    route, messages = body["route"], body["messages"]
    found = list(score(route, messages))
    item: dict[str, Any] = {"index": 0}
    if route == "/pooling":
        item |= {"object": "pooling", "data": found}
    elif route == "/classify":
        item |= {"label": None, "probs": found, "num_classes": len(found)}
    else:
        item |= {"object": "embedding", "embedding": found}
    prompt = sum(tokens(str(message.get("content"))) for message in messages)
    usage = {"prompt_tokens": prompt, "total_tokens": prompt, "completion_tokens": 0}
    return {"object": "list", "model": body["model"], "data": [item], "usage": usage}
