"""A vLLM server of our own: started for this machine, watched, and never left behind."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import TracebackType

from synth.config.flowfile import ServerOptions
from synth.errors import ServerError
from synth.teachers import server_log, vllm_control
from synth.teachers.owner import own
from synth.teachers.ports import PORT_TAKEN, free_port, refuse_taken
from synth.teachers.vllm_args import Build, arguments, build_of, environment, server_python

__all__ = ["VllmServer"]

OnWait = Callable[[float, str], None]
"""`on_wait(seconds, last_log_line)`, about twice a second while the server starts."""

SUPERVISOR = Path(__file__).with_name("supervise.py")
ENTRY = ("-m", "vllm.entrypoints.openai.api_server")
POLL_SECONDS = 0.5
ENDED_SECONDS = 0.1
PORT_TRIES = 3


class VllmServer:
    """One model served on loopback in processes of its own; an async context manager.

    The server runs under `supervise.py` in a session of its own: an interrupt in the
    terminal does not reach it, and it ends with this process however that ends. `lora`
    allows adapters up to `max_lora_rank`; `dev` allows whole weights to be replaced, `sleeps` that it
    is put to sleep. `replica` numbers servers of the same weights: each takes its own port and cores;
    `gpus` are those it may use, all when empty.
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
        sleeps: bool = False,
        replica: int = 0,
        gpus: tuple[str, ...] = (),
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
        self.dev = dev or sleeps
        self._replaces = dev
        self.sleeps = sleeps
        self.replica = replica
        self.gpus = gpus
        self.asleep = 0
        """Level of its sleep: 0 awake, 1 with its weights kept, 2 without."""
        self._start_seconds = start_seconds
        self._stop_seconds = stop_seconds
        self._command = command
        self._adapters: dict[str, Path] = {}
        self._port = 0
        self._settled = False
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

        One that was stopped comes back at its address, with the weights and adapters it had.
        Raises `ServerError` with the end of its log if it dies or does not answer in time.
        """
        for tries_left in reversed(range(PORT_TRIES)):
            try:
                await self._launch()
                await self._until_ready(on_wait)
                for name, path in self._adapters.items():
                    await vllm_control.load_adapter(self.root, name, path)
                self._settled, self.asleep = True, 0
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

    async def sleep(self) -> None:
        """Give the GPU's memory back until `wake`; weights that are replaced as a whole are not kept."""
        level = 1 if self.lora or not self._replaces else 2
        await self._told(vllm_control.sleep(self.root, level), "did not fall asleep")
        self.asleep = level

    async def wake(self) -> None:
        """Take the memory again, with the weights it had; nothing where it is awake."""
        if self.asleep == 1:
            await self._told(vllm_control.wake(self.root), "did not wake up")
        elif self.asleep == 2:
            await self._told(vllm_control.wake_with(self.root, self.model), "did not wake up")
        self.asleep = 0

    async def load_adapter(self, name: str, path: Path) -> None:
        """Serve the LoRA adapter in `path` as the model `name`; use a new name for new weights.

        A server that sleeps wakes up for it, one that was stopped has it when it starts again.
        """
        if not self._stopping:
            await self.wake()
            await vllm_control.load_adapter(self.root, name, path)
        self._adapters[name] = path

    async def reload_weights(self, path: Path, version: str | None = None) -> None:
        """Serve the weights in `path` from now on: between requests, as it wakes up, or as it starts."""
        self.model = path
        if self._stopping:
            return
        if self.asleep:
            await self.wake()
        else:
            await vllm_control.reload_weights(self.root, path, version)

    async def metrics(self) -> dict[str, float]:
        """The server's figures now; see `vllm_control.metrics`."""
        return await vllm_control.metrics(self.root)

    async def _launch(self) -> None:
        wanted = self.options.port and self.options.port + self.replica
        if self._settled:
            wanted = self._port
        self._port = wanted or free_port()
        if wanted is not None:
            refuse_taken(wanted)
        python = server_python()
        build: Build = "cpu" if self._command else await asyncio.to_thread(build_of, python)
        entry = self._command or (python, *ENTRY)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        lock = await own(self.log)
        try:
            self._spawn([*entry, *self._arguments(build)], build, lock)
        finally:
            os.close(lock)

    def _arguments(self, build: Build) -> list[str]:
        return arguments(
            build,
            self.model,
            self.served_name,
            self.options,
            self._port,
            lora=self.lora,
            max_lora_rank=self.max_lora_rank,
            sleeps=self.sleeps,
        )

    def _spawn(self, command: list[str], build: Build, lock: int) -> None:
        supervisor = [sys.executable, "-I", str(SUPERVISOR), str(os.getpid()), str(self._stop_seconds)]
        self._stopping = False
        with self.log.open("ab") as log:
            self._log_from = log.tell()
            # Not asyncio's: closing its loop would kill the supervisor, of all processes.
            self._process = subprocess.Popen(
                [*supervisor, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(
                    build, self.options, lora=self.lora, dev=self.dev, replica=self.replica, gpus=self.gpus
                ),
                start_new_session=True,
                pass_fds=[lock],
            )

    async def _ended(self) -> None:
        while self.alive:  # noqa: ASYNC110 (a process sets no event)
            await asyncio.sleep(ENDED_SECONDS)

    async def _until_ready(self, on_wait: OnWait | None) -> None:
        began = time.monotonic()
        while not await vllm_control.healthy(self.root):
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

    def _lost_its_port(self) -> bool:
        """Whether a freely chosen port was taken by another program before the server had it."""
        said = "\n".join(self.tail(40)).lower()
        return self.options.port is None and not self._settled and any(sign in said for sign in PORT_TAKEN)

    async def _told(self, telling: Awaitable[None], failed: str) -> None:
        """Tell the server something; where it refuses, its log says why. Raises `ServerError`."""
        try:
            await telling
        except ServerError as error:
            raise self._failed(f"{failed} ({error.what})") from error

    def _failed(self, what: str) -> ServerError:
        lines = "\n".join(f"    {line}" for line in self.tail()) or "    (it printed nothing)"
        error = server_log.first_error(self.log, self._log_from)
        cause = f": {error}" if error else ""
        cure = server_log.cure_of(self.log, self._log_from)
        return ServerError(
            f"the server of {self.model} {what}{cause}\n  The end of its log:\n{lines}",
            f"{cure}; the whole log is in {self.log}" if cure else f"the whole log is in {self.log}",
        )
