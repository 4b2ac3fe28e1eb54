"""One owner for every server: a start waits until what an earlier start of it left has ended.

After a kill -9 a supervisor needs a while to end its server. It holds a lock beside the server's
log until the last process is gone, and their memory with them.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from pathlib import Path

from synth.errors import ServerError

__all__ = ["own", "wait_for_all"]

SECONDS = 60.0
"""A supervisor kills its server after a quarter of that."""


async def own(log: Path, seconds: float = SECONDS) -> int:
    """The lock of the server with this log, as an open file for its supervisor to inherit.

    Raises `ServerError` if an earlier one still holds it after so many seconds.
    """
    file = os.open(log.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    until = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except BlockingIOError as error:
            if time.monotonic() > until:
                os.close(file)
                raise ServerError(
                    f"the server that writes {log} is still there after {seconds:.0f} s",
                    "end it: it belongs to an earlier start of this run",
                ) from error
        await asyncio.sleep(0.1)


async def wait_for_all(logs: Path) -> None:
    """Return when no server of an earlier start is left that kept its log in this folder."""
    for lock in sorted(logs.glob("server-*.lock")):
        os.close(await own(lock.with_suffix(".log")))
