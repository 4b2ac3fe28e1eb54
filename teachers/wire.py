"""The OpenAI chat wire: bodies out, replies in, failures sorted by what to do about them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from synth.chat import Reply, Request

__all__ = ["Refused", "Transient", "body_of", "failure_of", "replies_of"]

_THINKING = re.compile(r"^\s*<think>(.*?)</think>\s*", re.DOTALL)


class Transient(Exception):
    """Worth another try: a busy or broken server, a lost connection, a garbled reply.

    `wait` is the server's own Retry-After in seconds, if it sent one; `down` says that the
    endpoint did not answer at all, which is what the breaker counts; `raw` is what it sent.
    """

    def __init__(
        self, kind: str, detail: str, wait: float | None = None, down: bool = False, raw: str = ""
    ) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail
        self.wait = wait
        self.down = down
        self.raw = raw


class Refused(Exception):
    """The server will never answer this. `fatal` if it will not answer anything else either."""

    def __init__(self, kind: str, detail: str, fatal: bool) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail
        self.fatal = fatal


def body_of(request: Request, model: str, n: int, first: int, guided: bool = True) -> bytes:
    """The JSON body of a chat (or plain) completion request; every sampling parameter is explicit.

    `guided` sends the schema along, for endpoints that decode under its guidance.
    """
    sampling = request.sampling
    body: dict[str, Any] = {
        "model": model,
        **({"prompt": request.messages[0]["content"]} if request.plain else {"messages": request.messages}),
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
    }
    if n > 1:
        body["n"] = n
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if sampling.seed is not None:
        body["seed"] = sampling.seed + first
    if request.schema is not None and guided:
        schema = {"name": "answer", "schema": request.schema, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return orjson.dumps(body)


def replies_of(raw: bytes, n: int, seconds: float) -> list[Reply]:
    """The `n` replies in a response body. Raises `Transient` if it is not what was asked for."""
    try:
        body = orjson.loads(raw)
        choices = body["choices"]
        usage = body.get("usage") or {}
        prompt = int(usage.get("prompt_tokens") or 0)
        completion = int(usage.get("completion_tokens") or 0)
        texts = [(_message(c), c.get("finish_reason") or "stop") for c in choices]
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise Transient("garbled-reply", f"{type(error).__name__}: {error}", raw=_text(raw)) from error
    if len(texts) < n:
        raise Transient("garbled-reply", f"asked for {n} choices, got {len(texts)}", raw=_text(raw))
    # Usage covers the whole request; the first sample carries what does not divide evenly.
    share, rest = divmod(completion, n)
    return [
        _reply(message, finish, prompt if i == 0 else 0, share + (rest if i == 0 else 0), seconds)
        for i, (message, finish) in enumerate(texts[:n])
    ]


def _message(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a choice says: a chat's message, or the continuation of a plain text."""
    message: Mapping[str, Any] = {"content": choice["text"]} if "text" in choice else choice["message"]
    return message


def _reply(message: Mapping[str, Any], finish: str, prompt: int, completion: int, seconds: float) -> Reply:
    text = message.get("content") or ""
    thinking = message.get("reasoning_content") or message.get("reasoning") or ""
    if "</think>" in text:
        match = _THINKING.match(text)
        if match:
            thinking, text = match.group(1).strip(), text[match.end() :]
    return Reply(text, finish, prompt, completion, seconds, thinking)


def failure_of(status: int, headers: Mapping[str, str], raw: bytes) -> Transient | Refused:
    """What an error status means for the call and for the run; names of `headers` are in lower case."""
    said = _text(raw)
    detail = said[:300].strip()
    if status in (408, 409, 425, 429) or status >= 500:
        return Transient(f"http-{status}", detail, wait=_retry_after(headers.get("retry-after")), raw=said)
    return Refused(f"http-{status}", detail, fatal=status in (401, 403, 404, 405))


def _text(raw: bytes) -> str:
    """As much of a reply as is worth keeping in a rejection."""
    return raw[:4000].decode("utf-8", "replace")


def _retry_after(value: str | None) -> float | None:
    """Seconds in a Retry-After header; its date form is rare among model servers and ignored."""
    try:
        return min(120.0, max(0.0, float(value))) if value else None
    except ValueError:
        return None
