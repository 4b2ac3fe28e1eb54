"""An OpenAI-compatible endpoint over plain HTTP, for thousands of calls at once."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

import orjson
from yarl import URL

from synth.chat import CallFailed, Leaving, Reply, Request
from synth.errors import EndpointError
from synth.teachers.breaker import Breaker
from synth.teachers.connections import Barred, Connections, Unreachable
from synth.teachers.limit import Limit, Outcome
from synth.teachers.response import Response
from synth.teachers.retry import with_retries
from synth.teachers.wire import Refused, Transient, body_of, failure_of, replies_of

__all__ = ["HttpEndpoint"]

Retries = Callable[[Callable[[], Awaitable[list[Reply]]]], Awaitable[list[Reply]]]


class HttpEndpoint:
    """One server behind `base_url` (ending in /v1). Safe for thousands of calls in flight.

    `timeout` is seconds a call may take, counted from sending; waiting for a place does
    not count. `say` is told when the endpoint goes away and comes back. `retries` makes the tries
    of one call; a pool of servers makes them itself.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        timeout: float = 120.0,
        concurrency: int | None = None,
        say: Callable[[str], None] = lambda text: None,
        patience: float = 600.0,
        probe_every: float = 2.0,
        check: Callable[[], None] = lambda: None,
        retries: Retries = with_retries,
    ) -> None:
        self._retries = retries
        self.base_url = base_url.rstrip("/")
        self._url = URL(f"{self.base_url}/chat/completions")
        self._plain_url = URL(f"{self.base_url}/completions")
        self._models_url = URL(f"{self.base_url}/models")
        self.limit = Limit(concurrency)
        self._say = say
        self._guided = True
        self.breaker = Breaker(
            self.base_url, self.answers, say, patience=patience, every=probe_every, check=check
        )
        headers = {"Content-Type": "application/json"}
        if api_key:
            headers["Authorization"] = f"Bearer {_header(api_key, self.base_url)}"
        self.timeout = timeout
        self._connections = Connections(self._url.origin(), headers, connect=min(30.0, timeout))

    @property
    def width(self) -> int:
        """Calls it takes at once, as far as is known by now."""
        return self.limit.width

    async def chat(
        self, request: Request, model: str, n: int, first: int, name: str, leaving: Leaving | None = None
    ) -> list[Reply]:
        """`n` samples in one request. Raises `CallFailed`, or `EndpointError` if all is lost.

        `name` goes along as X-Request-Id, so that a server's log can be held against the journal;
        `leaving` is awaited when the request has its place and is about to go.
        An empty answer is asked for once more, as the same sample: it is either a hiccup, or it
        comes again and is what the model has to say.
        """
        guided = self._guided
        try:
            replies = await self._ask(request, model, n, first, name, leaving)
            if not any(reply.text or reply.truncated for reply in replies):
                replies = await self._ask(request, model, n, first, name, leaving)
            return replies
        except Refused as error:
            if error.fatal:
                raise EndpointError(
                    f"{self.base_url} refuses calls for model {model!r}: {error}",
                    "check base_url (it ends in /v1), the model's served name and the key's variable",
                ) from error
            if guided and request.schema is not None and _about_schema(error):
                if self._guided:
                    self._guided = False
                    self._say(f"{self.base_url} takes no schema; answers are checked when they are here")
                return await self.chat(request, model, n, first, name, leaving)
            raise CallFailed(error.kind, error.detail, raw=error.detail) from error

    async def _ask(
        self, request: Request, model: str, n: int, first: int, name: str, leaving: Leaving | None
    ) -> list[Reply]:
        """Send until an answer comes or the retries are used up. Raises `CallFailed` or `Refused`."""
        body = self._body(request, model, n, first)
        url = self._plain_url if request.plain else self._url

        async def send() -> list[Reply]:
            await self.limit.enter()
            sent = time.monotonic()
            outcome: Outcome = "failed"
            try:
                await self.breaker.ready()
                if leaving is not None:
                    await leaving()
                sent = time.monotonic()
                replies = await self._post(url, body, name, n)
                outcome = "answered"
                return replies
            except Transient as error:
                if error.kind in ("http-429", "http-503", "timeout"):
                    outcome = "refused"
                raise
            finally:
                self.limit.leave(sent, outcome)

        return await self._retries(send)

    async def _post(self, url: URL, body: bytes, name: str, n: int) -> list[Reply]:
        """Send once. Every outcome but an answer is a `Transient` or `Refused`."""
        started = time.perf_counter()
        try:
            response = await self._connections.post(url, body, name, self.timeout)
        except Barred as error:
            raise _barred(self.base_url, error) from error
        except Unreachable as error:
            self.breaker.unanswered(str(error))
            raise Transient("connection", str(error), down=True) from error
        except TimeoutError as error:
            raise Transient("timeout", str(error)) from error
        except ConnectionError as error:
            raise Transient("connection", f"{type(error).__name__}: {error}") from error
        self.breaker.answered()
        if response.status != 200:
            self._check_moved(url, response)
            raise failure_of(response.status, response.headers, response.body)
        return self._read(response.body, n, time.perf_counter() - started)

    def _body(self, request: Request, model: str, n: int, first: int) -> bytes:
        """What is sent."""
        return body_of(request, model, n, first, self._guided)

    def _read(self, raw: bytes, n: int, seconds: float) -> list[Reply]:
        """What came back. Raises `Transient` if it is not what was asked for."""
        return replies_of(raw, n, seconds)

    async def answers(self) -> bool:
        """Whether the endpoint answers at all (any status: a refusal is an answer too)."""
        try:
            await self._connections.get(self._models_url, 5.0)
            return True
        except (ConnectionError, TimeoutError):
            return False

    async def served(self) -> list[str]:
        """Names of the models it serves. Raises `EndpointError` if it cannot be asked."""
        try:
            response = await self._connections.get(self._models_url, self.timeout)
            self._check_moved(self._models_url, response)
            if response.status != 200:
                said = response.body[:200].decode("utf-8", "replace")
                raise EndpointError(
                    f"{self.base_url}/models answers {response.status}: {said}",
                    "check base_url (it ends in /v1) and the key's variable",
                )
            return [str(entry["id"]) for entry in orjson.loads(response.body)["data"]]
        except Barred as error:
            raise _barred(self.base_url, error) from error
        except (ConnectionError, TimeoutError, ValueError, KeyError, TypeError) as error:
            raise EndpointError(
                f"{self.base_url} cannot be reached: {type(error).__name__}: {error}",
                "start the server, or correct base_url",
            ) from error

    def _check_moved(self, url: URL, response: Response) -> None:
        """Raises `EndpointError` with the new address if the server is somewhere else by now."""
        if not 300 <= response.status < 400:
            return
        there = response.headers.get("location", "")
        with contextlib.suppress(ValueError):
            there = str(url.join(URL(there)))
        root = there.removesuffix(url.raw_path_qs[len(URL(self.base_url).raw_path) :])
        raise EndpointError(
            f"{self.base_url} answers {response.status}: it sends calls on to {there or 'nowhere'}",
            f"if that is right, write base_url: {root} (a key goes to the address written there alone)",
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self.breaker.aclose()
        self._connections.close()
        await asyncio.sleep(0)


def _barred(base_url: str, error: Barred) -> EndpointError:
    return EndpointError(f"{base_url} cannot be asked: {error}", error.cure)


def _header(key: str, base_url: str) -> str:
    """A key as it may stand in a header. Raises `EndpointError`."""
    if not (key.isascii() and key.isprintable()):
        raise EndpointError(
            f"the key for {base_url} holds characters that no header may hold",
            "set its variable to the key alone, without line breaks",
        )
    return key


def _about_schema(error: Refused) -> bool:
    """Whether a 400 is about structured output, which not every endpoint has."""
    said = error.detail.lower()
    return error.kind == "http-400" and any(
        sign in said for sign in ("response_format", "json_schema", "guided")
    )
