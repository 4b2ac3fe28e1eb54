"""A model in a role: every call goes through the journal before it goes anywhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from functools import lru_cache
from typing import Any, Protocol

import orjson

from synth.chat import CallFailed, Leaving, Reply, Request, call_key
from synth.journal import CallRow, Journal
from synth.records import Sampling

__all__ = ["Endpoint", "Model"]


class Endpoint(Protocol):
    """What answers calls: `HttpEndpoint` or `ProgramEndpoint`."""

    @property
    def width(self) -> int: ...

    async def chat(
        self, request: Request, model: str, n: int, first: int, name: str, leaving: Leaving | None = None
    ) -> list[Reply]:
        """`n` samples from `first` on, under `name`; `leaving` is awaited before the request goes."""
        ...

    async def aclose(self) -> None: ...


class Model:
    """Plays a role: asks the journal, then the endpoint, and writes the answer down.

    `model` is the identity in keys and lineage; `served` the name on the wire, which
    changes when an adapter is loaded; `weights` the version of the weights behind it.
    Implements `synth.chat.Chat`.
    """

    def __init__(
        self, role: str, model: str, weights: str, served: str, endpoint: Endpoint, journal: Journal
    ) -> None:
        self.role = role
        self.model = model
        self.served = served
        self.endpoint = endpoint
        self.tokens_made = 0
        self._weights = weights
        self._journal = journal
        self._asking: dict[bytes, asyncio.Future[None]] = {}

    @property
    def weights(self) -> str:
        """Version of the weights that answer now."""
        return self._weights

    @property
    def width(self) -> int:
        """Calls the endpoint takes at once, as far as is known by now."""
        return self.endpoint.width

    def become(self, served: str, weights: str) -> None:
        """From now on other weights answer, under this name on the wire."""
        self.served = served
        self._weights = weights

    async def ask(self, request: Request, n: int = 1, first: int = 0) -> list[Reply]:
        """`n` independent samples, numbered from `first`; what is journaled is not asked again."""
        sampling, schema = _sampling_bytes(request.sampling), _schema_bytes(request.schema)
        keys = [
            call_key(self.model, self._weights, request.messages, sampling, schema, index)
            for index in range(first, first + n)
        ]
        for key in keys:
            # The same call made twice at once is one call: the second waits for the first.
            while (other := self._asking.get(key)) is not None:
                await other
        found = [self._journal.find(key) for key in keys]
        fresh = await self._pay(request, keys, found, first) if None in found else {}
        self._journal.replayed += n - len(fresh)
        return [
            _reply_of(raw, key) if raw is not None else fresh[key]
            for raw, key in zip(found, keys, strict=True)
        ]

    async def _pay(
        self, request: Request, keys: list[bytes], found: list[bytes | None], first: int
    ) -> dict[bytes, Reply]:
        """Ask for the samples that are missing, a request a gap, and journal them."""
        done = asyncio.get_running_loop().create_future()
        missing = [key for key, raw in zip(keys, found, strict=True) if raw is None]
        for key in missing:
            self._asking[key] = done
        fresh: dict[bytes, Reply] = {}
        try:
            for start, end in _gaps(found):
                gap = keys[start:end]
                replies = await self._send(request, gap, first + start)
                for key, reply in zip(gap, replies, strict=True):
                    fresh[key] = _named(reply, key)
                await _together([self._write(request, key, fresh[key]) for key in gap])
        finally:
            for key in missing:
                del self._asking[key]
            done.set_result(None)
        return fresh

    async def _send(self, request: Request, keys: list[bytes], first: int) -> list[Reply]:
        """Ask the endpoint; that the request leaves, and that it had no answer, is journaled too."""
        left = False

        async def leaving(moved: str = "") -> None:
            nonlocal left
            if moved and left:
                cut = [self._journal.fail(key, "moved", moved, 1, "") for key in keys]
                await _together([*cut, *(self._journal.intend(key) for key in keys)])
            elif not left:
                left = True
                await _together([self._journal.intend(key) for key in keys])

        name = keys[0].hex()
        try:
            return await self.endpoint.chat(request, self.served, len(keys), first, name, leaving)
        except CallFailed as error:
            if left:
                story = error.kind, error.detail, error.attempts, error.raw
                await _together([self._journal.fail(key, *story) for key in keys])
            raise

    async def _write(self, request: Request, key: bytes, reply: Reply) -> None:
        asked: dict[str, Any] = {
            "messages": request.messages,
            "sampling": request.sampling.model_dump(),
            "schema": request.schema,
        }
        said = {"text": reply.text, "finish_reason": reply.finish_reason, "thinking": reply.thinking}
        self.tokens_made += reply.completion_tokens
        figures = {"prompt": reply.prompt_tokens, "completion": reply.completion_tokens}
        await self._journal.record(
            CallRow(
                key=key,
                stage=request.stage,
                agent=request.agent,
                role=self.role,
                model=self.model,
                weights=self._weights,
                request=orjson.dumps(asked),
                reply=orjson.dumps({**said, **figures, "seconds": reply.seconds}),
                prompt_tokens=reply.prompt_tokens,
                completion_tokens=reply.completion_tokens,
                seconds=reply.seconds,
            )
        )


def _gaps(found: list[bytes | None]) -> list[tuple[int, int]]:
    """Where samples are missing: the first of each run of them, and the one after its last."""
    gaps: list[tuple[int, int]] = []
    for place, raw in enumerate(found):
        if raw is None:
            start = gaps.pop()[0] if gaps and gaps[-1][1] == place else place
            gaps.append((start, place + 1))
    return gaps


async def _together(work: list[Coroutine[Any, Any, None]]) -> None:
    """Wait for all of them; one alone, the usual case, is spared a task of its own."""
    if len(work) == 1:
        await work[0]
    else:
        await asyncio.gather(*work)


def _reply_of(raw: bytes, key: bytes) -> Reply:
    said = orjson.loads(raw)
    return Reply(
        text=said["text"],
        finish_reason=said["finish_reason"],
        prompt_tokens=said["prompt"],
        completion_tokens=said["completion"],
        seconds=said["seconds"],
        thinking=said["thinking"],
        key=key.hex(),
    )


def _named(reply: Reply, key: bytes) -> Reply:
    return Reply(
        reply.text,
        reply.finish_reason,
        reply.prompt_tokens,
        reply.completion_tokens,
        reply.seconds,
        reply.thinking,
        key.hex(),
    )


@lru_cache(maxsize=256)
def _sampling_bytes(sampling: Sampling) -> bytes:
    return orjson.dumps(sampling.model_dump(), option=orjson.OPT_SORT_KEYS)


def _schema_bytes(schema: dict[str, Any] | None) -> bytes:
    return b"" if schema is None else orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)
