"""An empty root folder of its own: what a program may read is bound into it, and nothing else is there.

Needs a mount namespace. Imported by the process inside the sandbox, before any foreign code.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path

__all__ = ["change_root"]

_libc = ctypes.CDLL(None, use_errno=True)
READ_ONLY, NOSUID, NODEV, REMOUNT, BIND, RECURSIVE, PRIVATE = 1, 2, 4, 32, 1 << 12, 1 << 14, 1 << 18
KEPT = {2: NOSUID, 4: NODEV, 8: 8, 1024: 1024, 2048: 2048, 4096: 1 << 21}
"""Flags of a mount as `statvfs` tells them, and as `mount` wants them again: they may not be dropped."""
DETACH = 2
SMALL = b"size=256k,mode=0755,nr_inodes=512"


def change_root(readable: Sequence[str], hidden: Sequence[str], scratch: str, mib: int) -> bool:
    """Make a memory file system the root: `readable` bound into it read-only, an empty folder over each
    of `hidden`, and at `scratch` a memory file system of `mib` MiB. Whether that came about."""
    _mount(None, "/", None, RECURSIVE | PRIVATE)
    if not _mount("tmpfs", scratch, "tmpfs", NOSUID | NODEV, SMALL):
        return False
    top = [path for path in readable if not any(_below(path, other) for other in readable)]
    if not all(_bound(path, scratch + path) for path in top):
        return False
    for path in ("/lib", "/lib64"):
        if Path(path).is_symlink():
            Path(scratch + path).symlink_to(Path(path).readlink())
    for path in hidden:
        if Path(scratch + path).is_dir():
            _mount("tmpfs", scratch + path, "tmpfs", NOSUID | NODEV | READ_ONLY, SMALL)
    own = scratch + scratch
    Path(own).mkdir(parents=True)
    held = _mount("tmpfs", own, "tmpfs", NOSUID | NODEV, f"size={mib}m,mode=0777,nr_inodes=1024".encode())
    return held and _enter(scratch)


def _enter(folder: str) -> bool:
    """The old root is let go of; where it cannot be (an initial RAM disk) it is out of reach."""
    os.chdir(folder)
    if _libc.syscall(_PIVOT_ROOT.get(os.uname().machine, -1), b".", b".") == 0:
        return bool(_libc.umount2(b".", DETACH) == 0)
    os.chroot(".")
    return True


_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}


def _below(path: str, other: str) -> bool:
    return path.startswith(f"{other}/")


def _bound(path: str, place: str) -> bool:
    """The file or folder at `place` too, read-only."""
    if Path(path).is_dir():
        Path(place).mkdir(parents=True, exist_ok=True)
    else:
        Path(place).parent.mkdir(parents=True, exist_ok=True)
        Path(place).touch()
    flags = sum(wanted for told, wanted in KEPT.items() if os.statvfs(path).f_flag & told)
    bound = _mount(path, place, None, BIND | RECURSIVE)
    return bound and _mount(None, place, None, BIND | REMOUNT | READ_ONLY | flags)


def _mount(
    source: str | None, target: str, kind: str | None, flags: int, options: bytes | None = None
) -> bool:
    said = (text.encode() if text is not None else None for text in (source, target, kind))
    return bool(_libc.mount(*said, ctypes.c_ulong(flags), options) == 0)
