"""The cache folder: where prepared models lie, who may prepare one, and whether there is room."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from synth.errors import ModelError

__all__ = ["cache_root", "cannot_write", "locked", "models_root", "require_space", "writing"]

FULL = (errno.ENOSPC, errno.EDQUOT)
REFUSED = (*FULL, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)
MOVE = "set SYNTH_CACHE to a folder on a disk with room that you may write"


def cache_root() -> Path:
    """`$SYNTH_CACHE`, or `~/.cache/synth`."""
    return Path(os.environ.get("SYNTH_CACHE") or "~/.cache/synth").expanduser().absolute()


def models_root() -> Path:
    """The folder that holds one folder for each prepared model."""
    return cache_root() / "models"


def require_space(folder: Path, needed: int, what: str) -> None:
    """Refuse to begin `what` when the disk of `folder` has fewer than `needed` bytes free."""
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(there).free
    if free < needed:
        raise ModelError(
            f"{what} needs {needed / 1e9:.1f} GB on the disk of {folder}, which has {free / 1e9:.1f} GB free",
            f"free some space, or {MOVE}",
        )


def cannot_write(folder: Path, error: Exception) -> ModelError | None:
    """The `ModelError` for an error that says the disk did not take a file; None for another."""
    if not isinstance(error, OSError) or error.errno not in REFUSED:
        return None
    reason = "the disk is full" if error.errno in FULL else os.strerror(error.errno)
    return ModelError(f"cannot write {error.filename or folder}: {reason}", MOVE)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn a failure to write below `folder` into a `ModelError` with its cure."""
    try:
        yield
    except OSError as error:
        raise cannot_write(folder, error) or error from error


@contextmanager
def locked(path: Path, waiting: Callable[[], None] | None = None) -> Iterator[int]:
    """Hold the lock file `path`; calls `waiting` while another process holds it.

    Yields the lock's descriptor: a child process that inherits it holds the lock on when
    this process dies.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if waiting is not None:
                    waiting()
                time.sleep(0.2)
        yield descriptor
    finally:
        os.close(descriptor)
