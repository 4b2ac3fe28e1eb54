"""A vLLM server of our own: started for this machine, watched, and never left behind."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

import aiohttp

from synth.config.flowfile import ServerOptions
from synth.errors import ServerError
from synth.teachers import server_log, vllm_control
from synth.teachers.vllm_args import Build, arguments, build_of, environment, server_python

__all__ = ["VllmServer"]

OnWait = Callable[[float, str], None]
"""`on_wait(seconds, last_log_line)`, about twice a second while the server starts."""

SUPERVISOR = Path(__file__).with_name("supervise.py")
ENTRY = ("-m", "vllm.entrypoints.openai.api_server")
POLL_SECONDS = 0.5
ENDED_SECONDS = 0.1
PORT_TRIES = 3
PORT_TAKEN = ("address already in use", "errno 98")


class VllmServer:
    """One model served on loopback in processes of its own; an async context manager.

    The server runs under `supervise.py` in a session of its own: an interrupt in the
    terminal does not reach it, and it ends with this process however that ends. `lora`
    allows adapters up to `max_lora_rank`; `dev` allows whole weights to be replaced.
    `replica` numbers servers of the same weights: each takes its own port, GPUs or cores.
    `command` stands in for `python -m vllm…` and is given the same arguments.
    """

    def __init__(
        self,
        model: Path,
        served_name: str,
        options: ServerOptions,
        log: Path,
        lora: bool = False,
        *,
        max_lora_rank: int = 16,
        dev: bool = False,
        replica: int = 0,
        start_seconds: float = 600.0,
        stop_seconds: float = 15.0,
        command: Sequence[str] | None = None,
    ) -> None:
        self.model = model
        self.served_name = served_name
        self.options = options
        self.log = log
        self.lora = lora
        self.max_lora_rank = max_lora_rank
        self.dev = dev
        self.replica = replica
        self._start_seconds = start_seconds
        self._stop_seconds = stop_seconds
        self._command = command
        self._port = 0
        self._log_from = 0
        self._stopping = False
        self._process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> VllmServer:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def root(self) -> str:
        """Address of the server."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def base_url(self) -> str:
        """Root of its OpenAI-compatible interface."""
        return f"{self.root}/v1"

    @property
    def alive(self) -> bool:
        """Whether the server's process runs."""
        return self._process is not None and self._process.poll() is None

    async def start(self, on_wait: OnWait | None = None) -> None:
        """Start the server and return when it answers.

        Raises `ServerError` with the end of its log if it dies or does not answer in time.
        """
        for tries_left in reversed(range(PORT_TRIES)):
            try:
                await self._launch()
                await self._until_ready(on_wait)
                return
            except ServerError:
                await self.stop()
                if not (tries_left and self._lost_its_port()):
                    raise
            except BaseException:
                await self.stop()
                raise

    async def stop(self) -> None:
        """End the server: first asked, then after `stop_seconds` killed with all its processes."""
        self._stopping = True
        if self._process is not None:
            self._process.terminate()
        # The supervisor keeps to the time; should this task be cancelled, it goes on by itself.
        await self._ended()

    async def watch(self) -> None:
        """Return when the server was stopped; raise `ServerError` if it died by itself."""
        await self._ended()
        self.check()

    def check(self) -> None:
        """Raise `ServerError` with the end of the log if the server died by itself."""
        code = self._process.poll() if self._process is not None else None
        if code is not None and not self._stopping:
            raise self._failed(f"died (exit {code})")

    def tail(self, lines: int = 20) -> list[str]:
        """The last lines of what this start of the server printed."""
        return server_log.tail(self.log, self._log_from, lines)

    async def load_adapter(self, name: str, path: Path) -> None:
        """Serve the LoRA adapter in `path` as the model `name`; use a new name for new weights."""
        await vllm_control.load_adapter(self.root, name, path)

    async def unload_adapter(self, name: str) -> None:
        """Stop serving the adapter `name`."""
        await vllm_control.unload_adapter(self.root, name)

    async def reload_weights(self, path: Path, version: str | None = None) -> None:
        """Replace the served weights by those in `path`, between requests."""
        await vllm_control.reload_weights(self.root, path, version)

    async def metrics(self) -> dict[str, float]:
        """The server's figures now; see `vllm_control.metrics`."""
        return await vllm_control.metrics(self.root)

    async def _launch(self) -> None:
        wanted = self.options.port and self.options.port + self.replica
        self._port = wanted or _free_port()
        if wanted is not None:
            _refuse_taken(wanted)
        python = server_python()
        build: Build = "cpu" if self._command else await asyncio.to_thread(build_of, python)
        entry = self._command or (python, *ENTRY)
        self._spawn([*entry, *self._arguments(build)], build)

    def _arguments(self, build: Build) -> list[str]:
        return arguments(
            build,
            self.model,
            self.served_name,
            self.options,
            self._port,
            lora=self.lora,
            max_lora_rank=self.max_lora_rank,
        )

    def _spawn(self, command: list[str], build: Build) -> None:
        supervisor = [sys.executable, "-I", str(SUPERVISOR), str(os.getpid()), str(self._stop_seconds)]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._stopping = False
        with self.log.open("ab") as log:
            self._log_from = log.tell()
            # Not asyncio's: closing its loop would kill the supervisor, of all processes.
            self._process = subprocess.Popen(
                [*supervisor, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(build, self.options, lora=self.lora, dev=self.dev, replica=self.replica),
                start_new_session=True,
            )

    async def _ended(self) -> None:
        while self.alive:  # noqa: ASYNC110 (a process sets no event)
            await asyncio.sleep(ENDED_SECONDS)

    async def _until_ready(self, on_wait: OnWait | None) -> None:
        began = time.monotonic()
        while not await self._answers():
            self.check()
            waited = time.monotonic() - began
            if waited > self._start_seconds:
                raise self._failed(f"did not answer within {self._start_seconds:.0f} s")
            if on_wait is not None:
                on_wait(waited, next(iter(self.tail(1)), ""))
            await asyncio.sleep(POLL_SECONDS)
        # Another program may have taken the port meanwhile; only ours knows the name.
        if self.served_name not in await vllm_control.served_names(self.root):
            raise self._failed(f"shares its port with another program ({self.root})")
        self.check()

    async def _answers(self) -> bool:
        limit = aiohttp.ClientTimeout(total=5)
        try:
            async with (
                aiohttp.ClientSession(timeout=limit) as session,
                session.get(f"{self.root}/health") as response,
            ):
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    def _lost_its_port(self) -> bool:
        """Whether a freely chosen port was taken by another program before the server had it."""
        said = "\n".join(self.tail(40)).lower()
        return self.options.port is None and any(sign in said for sign in PORT_TAKEN)

    def _failed(self, what: str) -> ServerError:
        lines = "\n".join(f"    {line}" for line in self.tail()) or "    (it printed nothing)"
        error = server_log.first_error(self.log, self._log_from)
        cause = f": {error}" if error else ""
        cure = server_log.cure_of(self.log, self._log_from)
        return ServerError(
            f"the server of {self.model} {what}{cause}\n  The end of its log:\n{lines}",
            f"{cure}; the whole log is in {self.log}" if cure else f"the whole log is in {self.log}",
        )


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _refuse_taken(port: int) -> None:
    with socket.socket() as wanted:
        wanted.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            wanted.bind(("127.0.0.1", port))
        except OSError as error:
            raise ServerError(
                f"port {port} is in use by another program",
                "leave server.port out so that a free one is taken, or stop that program",
            ) from error
