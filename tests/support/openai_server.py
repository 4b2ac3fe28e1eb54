"""A scripted OpenAI-compatible server: real HTTP, real faults, deterministic replies.

In a test:

    async with ScriptedServer(reply=lambda messages, body: "4") as server:
        ...  # server.base_url, server.log.entries

As a process of its own (the first line printed is the port; SIGTERM stops it, SIGUSR1
refuses connections as a restart would, SIGUSR2 accepts them again):

    python -m tests.support.openai_server --port 0 --latency 0.05 --faults 500=0.05,reset=0.01
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import signal
import ssl
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import orjson

from tests.support.admin import Admin
from tests.support.faults import FaultRule, Faults, parse_faults
from tests.support.load import Load, tokens
from tests.support.pooling import ROUTES, Score, numbers, pooled, readable
from tests.support.replies import default_reply, schema_of
from tests.support.request_log import Entry, RequestLog
from tests.support.wire import Connection, Reply, Request, error

__all__ = ["Say", "ScriptedServer"]

Say = Callable[[Sequence[Mapping[str, Any]], Mapping[str, Any]], str | Sequence[str]]
"""From (messages, body) to the content of every choice, or to one content a choice."""

CUT, GONE = 0, 499
"""Logged in place of a status: the server cut the connection, the client left."""
LATE = 10
"""How many times longer than usual a slow reply takes."""


class ScriptedServer:
    """Serves /v1/chat/completions, /v1/completions and vLLM's side routes on loopback;
    /pooling, /classify and /v1/embeddings with the numbers `score` gives.

    `latency` is seconds a reply takes, varied by up to `jitter` of itself by the request's
    hash. `capacity` requests are served at a time; the rest waits, or is refused with the
    status `overload`. `structured` says what becomes of a schema: followed by the default
    reply, ignored, or refused with 400. A model other than `models` and loaded adapters
    is a 404; with `api_key`, a wrong key is a 401. With `tls` it speaks https.
    """

    def __init__(
        self,
        reply: Say | None = None,
        *,
        score: Score = numbers,
        latency: float = 0.0,
        jitter: float = 0.0,
        faults: Mapping[str, float] | FaultRule | None = None,
        script: Sequence[str] = (),
        seed: int = 0,
        capacity: int | None = None,
        overload: Literal["wait", "429", "503"] = "wait",
        retry_after: float = 0.05,
        structured: Literal["honour", "ignore", "refuse"] = "honour",
        models: Sequence[str] = ("scripted",),
        api_key: str | None = None,
        log: Path | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.tls = tls
        self.reply, self.latency, self.jitter = reply, latency, jitter
        self.score = score
        self.faults = Faults(faults, script, seed)
        self.load = Load(capacity)
        self.overload, self.retry_after, self.structured = overload, retry_after, structured
        self.admin = Admin(models, self.load)
        self.api_key = api_key
        self.log = RequestLog(log)
        self.host, self.port = host, port
        self._asked: Counter[bytes] = Counter()
        self._open: set[Connection] = set()
        self._listener: asyncio.Server | None = None

    @property
    def base_url(self) -> str:
        """Root of the API, as a client wants it."""
        return f"http{'s' if self.tls else ''}://{self.host}:{self.port}/v1"

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.down()
        self.log.close()

    async def up(self) -> None:
        """Accept connections, on the same port as before."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(
            lambda: Connection(self._handle, self._open), self.host, self.port, backlog=4096, ssl=self.tls
        )
        self.port = self._listener.sockets[0].getsockname()[1]

    async def down(self) -> None:
        """Refuse connections, cut the open ones and forget the adapters, as a dead server does."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        tasks = [connection.task for connection in self._open if connection.task is not None]
        for connection in list(self._open):
            connection.reset()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.admin.forget()

    async def _handle(self, request: Request) -> Reply:
        if self.api_key and request.headers.get("authorization") != f"Bearer {self.api_key}":
            return error(401, "Unauthorized")
        if request.method != "POST":
            return self.admin.get(request.path)
        try:
            body = orjson.loads(request.body) if request.body else {}
        except orjson.JSONDecodeError as problem:
            return error(400, f"Invalid JSON: {problem}")
        if request.path == "/v1/completions":  # a plain text is a message of the role `text`
            body = {**body, "messages": [{"role": "text", "content": body.pop("prompt", None)}]}
        elif request.path in ROUTES:
            body = readable(request.path, body)
        elif request.path != "/v1/chat/completions":
            return self.admin.post(request.target, body)
        return await self._chat(body, request.headers.get("x-request-id", ""))

    async def _chat(self, body: Mapping[str, Any], key: str) -> Reply:
        start = time.perf_counter()
        digest = blake2b(orjson.dumps(body, option=orjson.OPT_SORT_KEYS), digest_size=8).digest()
        attempt = self._asked[digest]
        self._asked[digest] += 1
        fault = self.faults.next(body, digest, attempt)
        status = GONE
        try:
            reply = await self._outcome(body, digest, fault)
            status = reply.status if reply.sent == 1 else CUT
        except Exception as problem:  # a test's own reply function; 400, so that nobody retries
            status, reply = 400, error(400, f"the scripted reply failed: {problem!r}")
        finally:
            taken = round(time.perf_counter() - start, 6)
            self.log.add(Entry(time.time(), digest.hex(), key, attempt, status, fault, taken))
        return reply

    async def _outcome(self, body: Mapping[str, Any], digest: bytes, fault: str) -> Reply:
        if refused := self._refused(body, fault):
            return refused
        if fault == "reset":
            return Reply(b"", sent=0)
        if fault == "timeout":
            await asyncio.Event().wait()
        async with self.load:
            delay = self.latency * (1 + self.jitter * (digest[0] / 127.5 - 1))
            if fault == "slow":
                delay = max(delay, 0.1) * LATE
            if delay:
                await asyncio.sleep(delay)
            payload = orjson.dumps(self._completion(body, digest, fault))
        if fault == "truncated":
            return Reply(payload[: len(payload) // 2])
        return Reply(payload, sent=0.5 if fault == "reset-mid-body" else 1)

    def _refused(self, body: Mapping[str, Any], fault: str) -> Reply | None:
        """The error reply to a request, None where it is to be served."""
        model = body.get("model")
        if not isinstance(body.get("messages"), list):
            return error(400, "messages: Field required")
        if body.get("stream"):
            return error(400, "streaming is not scripted")
        if self.structured == "refuse" and schema_of(body) is not None:
            return error(400, "response_format is not supported")
        if not self.admin.awake:
            return error(500, "asked of a server that sleeps, or has no weights")
        if fault == "404" or not self.admin.serves(model):
            return error(404, f"The model `{model}` does not exist.", param="model")
        if not fault and self.overload != "wait" and self.load.full:
            fault = self.overload
        if fault == "429":
            return error(429, "Rate limit reached", retry_after=self.retry_after)
        return error(int(fault), f"scripted fault {fault}") if fault.isdigit() else None

    def _completion(self, body: Mapping[str, Any], digest: bytes, fault: str) -> dict[str, Any]:
        """The reply as the OpenAI chat API shapes it."""
        head = {
            "id": f"chatcmpl-{digest.hex()}",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
        }
        if fault == "shape":
            return head
        if "route" in body:
            return pooled(body, self.score)
        contents = self._contents(body)
        if fault == "empty":
            contents = [""] * len(contents)
        elif fault == "schema":
            contents = ['{"unexpected": true}'] * len(contents)
        elif fault == "length":
            contents = [text[: len(text) // 2] for text in contents]
        prompt = sum(tokens(str(message.get("content"))) for message in body["messages"])
        made = sum(map(tokens, contents))
        cached = self.load.count(body["messages"], prompt, made)
        reason = "length" if fault == "length" else "stop"
        plain = body["messages"][:1] and body["messages"][0].get("role") == "text"
        head["choices"] = [
            {"index": i, "finish_reason": reason}
            | ({"text": text} if plain else {"message": {"role": "assistant", "content": text}})
            for i, text in enumerate(contents)
        ]
        head["usage"] = {
            "prompt_tokens": prompt,
            "completion_tokens": made,
            "total_tokens": prompt + made,
            "prompt_tokens_details": {"cached_tokens": cached},
        }
        return head

    def _contents(self, body: Mapping[str, Any]) -> list[str]:
        count = body.get("n") or 1
        if self.reply is None:
            honour = self.structured == "honour"
            return [default_reply(body, index, honour) for index in range(count)]
        said = self.reply(body["messages"], body)
        return [said] * count if isinstance(said, str) else list(said)[:count]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="openai_server", description="A scripted OpenAI-compatible server.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds a reply takes")
    parser.add_argument("--jitter", type=float, default=0.0, help="share by which the latency varies")
    parser.add_argument("--capacity", type=int, help="requests served at a time")
    parser.add_argument("--overload", choices=["wait", "429", "503"], default="wait")
    parser.add_argument("--faults", type=parse_faults, default={}, help="such as 500=0.05,reset=0.01")
    parser.add_argument("--script", type=lambda text: text.split(","), default=[], help="such as 500,ok,429")
    parser.add_argument("--retry-after", type=float, default=0.05, help="seconds a 429 asks for")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--structured", choices=["honour", "ignore", "refuse"], default="honour")
    parser.add_argument("--model", dest="models", action="append", help="a served name; may be repeated")
    parser.add_argument("--reply", help="module:function from (messages, body) to text")
    parser.add_argument("--log", type=Path, help="file to which one JSON line a request is appended")
    return parser.parse_args(arguments)


async def _serve(options: dict[str, Any]) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    async with ScriptedServer(**options) as server:
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        loop.add_signal_handler(signal.SIGINT, stop.set)
        tasks: set[asyncio.Task[None]] = set()
        loop.add_signal_handler(signal.SIGUSR1, lambda: tasks.add(loop.create_task(server.down())))
        loop.add_signal_handler(signal.SIGUSR2, lambda: tasks.add(loop.create_task(server.up())))
        print(server.port, flush=True)
        await stop.wait()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a server until SIGTERM; uvloop is used where it is installed."""
    options = vars(_options(arguments))
    options["models"] = options["models"] or ["scripted"]
    if options["reply"]:
        module, _, name = options["reply"].partition(":")
        options["reply"] = getattr(importlib.import_module(module), name)
    try:
        loop_factory = importlib.import_module("uvloop").new_event_loop
    except ImportError:
        loop_factory = asyncio.new_event_loop
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(_serve(options))


if __name__ == "__main__":
    main()
