"""Models that give numbers instead of text: reward models and embedders, as vLLM serves them.

A role of `api: pooling`, `classify` or `embeddings` is asked like any other, with messages,
and its reply is a JSON list of numbers; so its calls are journaled, audited and replayed as
all calls are. vLLM 0.32 answers so (the rows of a step each are from its source, the rest was tried):

- `/pooling` (a process reward model such as Qwen2.5-Math-PRM): `{"data": [{"data": rows}]}`, a
  row for each step mark of the conversation; a row's last number is the score of the good class.
- `/classify` (an outcome reward model, or any chat model as a classifier of its next token):
  `{"data": [{"probs": [...]}]}`; the last is that of the good class, one number in all.
- `/v1/embeddings`: `{"data": [{"embedding": [...]}]}`, the text of the last message as a vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import orjson
from yarl import URL

from synth.chat import Reply, Request
from synth.teachers.http import HttpEndpoint
from synth.teachers.wire import Transient

__all__ = ["PoolingEndpoint", "numbers_of"]

Api = Literal["pooling", "classify", "embeddings"]
_DIGITS = {"pooling": 6, "classify": 6, "embeddings": 4}
"""Digits after the point that are kept; four of a unit vector leave its cosines right to a thousandth."""


class PoolingEndpoint(HttpEndpoint):
    """One server of a pooling model behind `base_url` (ending in /v1); see `HttpEndpoint`."""

    def __init__(self, base_url: str, *, api: Api, **options: Any) -> None:
        super().__init__(base_url, **options)
        self.api = api
        root = self.base_url if api == "embeddings" else self.base_url.removesuffix("/v1")
        self._url = URL(f"{root}/{api}")

    def _body(self, request: Request, model: str, n: int, first: int) -> bytes:
        """A conversation that ends with the user is scored at what the assistant would say next."""
        if self.api == "embeddings":
            return orjson.dumps({"model": model, "input": request.messages[-1]["content"]})
        asked: dict[str, Any] = {"model": model, "messages": request.messages}
        if request.messages[-1]["role"] == "user":
            asked["add_generation_prompt"] = True
        return orjson.dumps(asked)

    def _read(self, raw: bytes, n: int, seconds: float) -> list[Reply]:
        try:
            body = orjson.loads(raw)
            found = _numbers(body["data"][0], self.api)
            rounded = [round(number, _DIGITS[self.api]) for number in found]
            tokens = int((body.get("usage") or {}).get("prompt_tokens") or 0)
        except (orjson.JSONDecodeError, KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            said = raw[:4000].decode("utf-8", "replace")
            raise Transient("garbled-reply", f"{type(error).__name__}: {error}", raw=said) from error
        text = orjson.dumps(rounded).decode()
        return [Reply(text, prompt_tokens=tokens if i == 0 else 0, seconds=seconds) for i in range(n)]


def numbers_of(text: str) -> list[float]:
    """The numbers in a reply of such a role. Raises `ValueError` if it is no list of numbers."""
    found = orjson.loads(text)
    if not isinstance(found, list):
        raise ValueError(f"expected a JSON list of numbers, found {text[:80]!r}")
    return [float(number) for number in found]


def _numbers(item: dict[str, Any], api: Api) -> list[float]:
    if api == "embeddings":
        return [float(number) for number in item["embedding"]]
    if api == "classify":
        return [float(item["probs"][-1])]
    rows: Sequence[Sequence[float] | float] = item["data"]
    return [float(row[-1] if isinstance(row, Sequence) else row) for row in rows]
