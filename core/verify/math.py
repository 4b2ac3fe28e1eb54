"""Whether two mathematical expressions mean the same, by `math-verify`, in processes of their own.

Its time-outs rest on signals, which work in no thread but the main one, and do not stop a
computation inside C (`9^{9^{9}}`). Here a small pool of workers compares, and a worker
that takes too long is killed and replaced.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import select
import subprocess
import sys
from queue import SimpleQueue

import orjson

from synth.errors import RunError

__all__ = ["same_expression"]

SECONDS = 5.0
"""Time for one comparison."""
START_SECONDS = 120.0
"""Time for a worker to start: it imports sympy, on a busy machine."""
PROCESSES = min(4, os.cpu_count() or 1)


async def same_expression(answer: str, known: str, seconds: float = SECONDS) -> bool:
    """Whether `answer` means the same as `known`, both plain or LaTeX.

    What cannot be read, or not in time, is not the same. Raises `RunError` if `math-verify`
    cannot be started.
    """
    return await asyncio.to_thread(_compare, answer, known, seconds)


class Worker:
    """One process that compares pairs, each a JSON line, in order."""

    def __init__(self) -> None:
        # A session of its own, so that Ctrl-C reaches the run and not the worker; the end of
        # its input ends it, also when the run is killed.
        self.process = subprocess.Popen(
            [sys.executable, "-m", "synth.verify.math_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            self._reply(START_SECONDS)
        except (TimeoutError, OSError) as problem:
            self.kill()
            raise RunError(
                "the math verifier's process did not start",
                "see what it says: python -m synth.verify.math_worker",
            ) from problem

    def same(self, answer: str, known: str, seconds: float) -> bool:
        """Compare one pair. Raises `TimeoutError`, or `OSError` where the process has died."""
        assert self.process.stdin is not None
        self.process.stdin.write(orjson.dumps([answer, known]) + b"\n")
        self.process.stdin.flush()
        return self._reply(seconds) == b"true\n"

    def _reply(self, seconds: float) -> bytes:
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            raise TimeoutError
        line = self.process.stdout.readline()
        if not line:
            raise BrokenPipeError("the comparing process has ended")
        return line

    def kill(self) -> None:
        """End the process at once."""
        self.process.kill()
        self.process.communicate()


_idle: SimpleQueue[Worker | None] = SimpleQueue()
for _ in range(PROCESSES):
    _idle.put(None)


def _compare(answer: str, known: str, seconds: float) -> bool:
    worker = _idle.get()
    try:
        worker = worker or Worker()
        return worker.same(answer, known, seconds)
    except (TimeoutError, OSError):
        if worker is not None:
            worker.kill()
        worker = None
        return False
    finally:
        _idle.put(worker)


@atexit.register
def _end() -> None:
    while not _idle.empty():
        worker = _idle.get()
        if worker is not None:
            worker.kill()
