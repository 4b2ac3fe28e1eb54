"""One process at a time: a lock on a file, which goes with the process, however it ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from synth.errors import RunError

__all__ = ["take_lock"]


def take_lock(path: Path, what: str) -> int:
    """Lock a file and write into it who holds it; closing the descriptor returned gives it back.

    Raises `RunError`, with the holder, where another process has it; `what` is what is locked.
    """
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(lock, 200).decode("utf-8", "replace").strip() or "another process"
        os.close(lock)
        raise RunError(
            f"{what} is being worked on by {holder}",
            "wait for it to end, or stop it; two processes never share it",
        ) from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"process {os.getpid()} on {os.uname().nodename}\n".encode(), 0)
    return lock
