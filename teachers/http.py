"""An OpenAI-compatible endpoint over plain HTTP: aiohttp and orjson, a tenth of the SDK's cost a call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import aiohttp
from yarl import URL

from synth.chat import CallFailed, Leaving, Reply, Request
from synth.errors import EndpointError
from synth.teachers.breaker import Breaker
from synth.teachers.limit import Limit, Outcome
from synth.teachers.retry import with_retries
from synth.teachers.wire import Refused, Transient, body_of, failure_of, replies_of

__all__ = ["HttpEndpoint"]


class HttpEndpoint:
    """One server behind `base_url` (ending in /v1). Safe for thousands of calls in flight.

    `timeout` is seconds a call may take, counted from sending; waiting for a place does
    not count. `say` is told when the endpoint goes away and comes back.
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
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._url = URL(f"{self.base_url}/chat/completions")
        self._plain_url = URL(f"{self.base_url}/completions")
        self.limit = Limit(concurrency)
        self._say = say
        self._guided = True
        self.breaker = Breaker(
            self.base_url, self.answers, say, patience=patience, every=probe_every, check=check
        )
        self._headers = {"Content-Type": "application/json"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self.timeout = timeout
        self._timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=min(30.0, timeout))
        self._session: aiohttp.ClientSession | None = None

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
        headers = {"X-Request-Id": name}
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
                replies = await self._post(url, body, headers, n)
                outcome = "answered"
                return replies
            except Transient as error:
                if error.kind in ("http-429", "http-503", "timeout"):
                    outcome = "refused"
                raise
            finally:
                self.limit.leave(sent, outcome)

        return await with_retries(send)

    async def _post(self, url: URL, body: bytes, headers: dict[str, str], n: int) -> list[Reply]:
        """Send once. Every outcome but an answer is a `Transient` or `Refused`."""
        session = self._open()
        started = time.perf_counter()
        try:
            async with session.post(url, data=body, headers=headers) as response:
                raw = await response.read()
                self.breaker.answered()
                if response.status != 200:
                    raise failure_of(response.status, response.headers, raw)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            self.breaker.unanswered(str(error))
            raise Transient("connection", str(error), down=True) from error
        except TimeoutError as error:
            raise Transient("timeout", f"no answer within {self._timeout.total:g} s") from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise Transient("connection", f"{type(error).__name__}: {error}") from error
        return self._read(raw, n, time.perf_counter() - started)

    def _body(self, request: Request, model: str, n: int, first: int) -> bytes:
        """What is sent."""
        return body_of(request, model, n, first, self._guided)

    def _read(self, raw: bytes, n: int, seconds: float) -> list[Reply]:
        """What came back. Raises `Transient` if it is not what was asked for."""
        return replies_of(raw, n, seconds)

    async def answers(self) -> bool:
        """Whether the endpoint answers at all (any status: a refusal is an answer too)."""
        try:
            quick = aiohttp.ClientTimeout(total=5)
            async with self._open().get(f"{self.base_url}/models", timeout=quick):
                return True
        except (aiohttp.ClientError, ConnectionError, TimeoutError):
            return False

    async def served(self) -> list[str]:
        """Names of the models it serves. Raises `EndpointError` if it cannot be asked."""
        try:
            async with self._open().get(f"{self.base_url}/models") as response:
                body = await response.json(content_type=None)
                if response.status != 200:
                    raise EndpointError(
                        f"{self.base_url}/models answers {response.status}: {str(body)[:200]}",
                        "check base_url (it ends in /v1) and the key's variable",
                    )
                return [str(entry["id"]) for entry in body["data"]]
        except (aiohttp.ClientError, ConnectionError, TimeoutError, ValueError, KeyError, TypeError) as error:
            raise EndpointError(
                f"{self.base_url} cannot be reached: {type(error).__name__}: {error}",
                "start the server, or correct base_url",
            ) from error

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            # The server may close idle connections after 5 s; staying below avoids that race.
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=4)
            self._session = aiohttp.ClientSession(
                connector=connector, headers=self._headers, timeout=self._timeout
            )
        return self._session

    async def aclose(self) -> None:
        """Close the connections."""
        await self.breaker.aclose()
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)


def _about_schema(error: Refused) -> bool:
    """Whether a 400 is about structured output, which not every endpoint has."""
    said = error.detail.lower()
    return error.kind == "http-400" and any(
        sign in said for sign in ("response_format", "json_schema", "guided")
    )
