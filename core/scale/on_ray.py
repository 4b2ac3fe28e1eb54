"""Workers as actors of Ray, which places them, starts them again when they die, and scales with its cluster.

Plain `ray` alone is needed, on the head and on the cluster's machines, and `synth` beside it there.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from synth.errors import RunError

__all__ = ["RayExecutor"]


class RayExecutor:
    """`workers` actors, one CPU each, on the cluster at `address`, or on this machine where there is none.

    Raises `RunError` if Ray is not installed.
    """

    def __init__(self, workers: int, address: str | None) -> None:
        try:
            import ray
        except ImportError as error:
            raise RunError(
                "--executor ray needs Ray, which is not installed", "install synth[ray]"
            ) from error
        self._ray: Any = ray
        self._workers, self._address = workers, address
        self._actors: list[Any] = []
        self._running: list[Any] = []
        self._ended: list[Exception | None] = []

    def start(self, store: str, logs: Path, say: Callable[[str], None]) -> None:
        ray = self._ray
        if not ray.is_initialized():
            ray.init(address=self._address, log_to_driver=False, include_dashboard=False)
        # A call of an actor that died is made again at its successor: nothing is lost with it.
        actor = ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=-1)(_Actor)
        folder = str(Path.cwd())
        self._actors = [actor.remote() for _ in range(self._workers)]
        self._running = [
            one.work.remote(store, f"ray-{number}", folder) for number, one in enumerate(self._actors)
        ]
        nodes = len([node for node in ray.nodes() if node.get("Alive")])
        say(f"{self._workers} workers on Ray, {nodes} machine{'' if nodes == 1 else 's'}")

    def look(self, finished: int) -> int | None:
        done, self._running = (
            self._ray.wait(self._running, num_returns=len(self._running), timeout=0)
            if self._running
            else ([], [])
        )
        for one in done:
            try:
                self._ray.get(one)
            except Exception as error:  # a worker's own errors are in the store, these are Ray's
                self._ended.append(error)
        if not self._running and self._ended:
            raise RunError(f"Ray could not run the workers: {self._ended[-1]}", "see Ray's own logs")
        return len(self._running)

    def stop(self) -> None:
        """Workers that are not done a moment after all is over are ended."""
        if self._running:
            self._ray.wait(self._running, num_returns=len(self._running), timeout=5)
        for actor in self._actors:
            self._ray.kill(actor)
        if self._address is None:
            self._ray.shutdown()


class _Actor:
    """One worker in a process of Ray's."""

    def work(self, store: str, name: str, folder: str) -> None:
        """The same as `synth worker`; what it failed with stands in the store."""
        import sys

        if Path(folder).is_dir():
            os.chdir(folder)
            sys.path.append(folder)
        from synth.engine.tuning import run_loop
        from synth.errors import SynthError
        from synth.scale.worker import work

        try:
            run_loop(work(store, f"{name}-{os.getpid()}"))
        except SynthError:
            return

    def pid(self) -> int:
        """Process of this actor."""
        return os.getpid()
