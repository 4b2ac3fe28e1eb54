"""Who starts workers and watches them: nobody here, this machine, or Ray."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from synth.errors import RunError

__all__ = ["Executor", "LocalExecutor", "Others"]

DEATHS = 5
"""Deaths in a row of one worker, with no record finished between them, after which it is given up."""


class Executor(Protocol):
    """Starts workers for a store, starts those again that die, and ends them."""

    def start(self, store: str, logs: Path, say: Callable[[str], None]) -> None: ...

    def look(self, finished: int) -> int | None:
        """How many workers there are, None where nobody can tell; `finished` records are done by now.

        Raises `RunError` where workers die again and again.
        """
        ...

    def stop(self) -> None: ...


class Others:
    """Workers that are started elsewhere: by Slurm, by hand, by a container scheduler."""

    def start(self, store: str, logs: Path, say: Callable[[str], None]) -> None:
        say(f"waiting for workers: start them with  synth worker {store}")

    def look(self, finished: int) -> int | None:
        return None

    def stop(self) -> None:
        """They end by themselves."""


class LocalExecutor:
    """Processes of this machine. They end with this process, however that ends."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._deaths: dict[str, int] = {}
        self._finished = 0

    def start(self, store: str, logs: Path, say: Callable[[str], None]) -> None:
        self._store, self._logs, self._say = store, logs, say
        for number in range(self.workers):
            self._launch(f"worker-{number}")

    def look(self, finished: int) -> int | None:
        if finished > self._finished:
            self._finished = finished
            self._deaths.clear()
        alive = 0
        for name, process in list(self._processes.items()):
            code = process.poll()
            if code is None:
                alive += 1
            elif code < 0:  # killed; one that ends by itself has said why
                self._say(f"{name} was killed (signal {-code}); another takes its place")
                self._deaths[name] = self._deaths.get(name, 0) + 1
                if self._deaths[name] >= DEATHS:
                    raise RunError(
                        f"{name} was killed {DEATHS} times and finished nothing (signal {-code})",
                        f"see {self._log(name)}; with signal 9, memory may be short: use fewer workers",
                    )
                self._launch(name)
                alive += 1
        return alive

    def stop(self) -> None:
        """Those that have not seen that all is over are told to end, then made to."""
        for seconds, end in ((2.0, subprocess.Popen.terminate), (30.0, subprocess.Popen.kill)):
            until = time.monotonic() + seconds
            for process in self._processes.values():
                try:
                    process.wait(timeout=max(0.0, until - time.monotonic()))
                except subprocess.TimeoutExpired:
                    end(process)
        for process in self._processes.values():
            process.wait()

    def _launch(self, name: str) -> None:
        command = [sys.executable, "-m", "synth.cli.main", "worker", self._store, "--name", name]
        command += ["--bound", str(os.getpid())]
        self._logs.mkdir(parents=True, exist_ok=True)
        with self._log(name).open("ab") as log:
            self._processes[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"
