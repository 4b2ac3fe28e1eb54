"""The kernel's means of confinement, called directly: namespaces, rights, Landlock, limits.

Imported by the process inside the sandbox, before any foreign code: nothing but the standard
library, and every step says by its return value whether it is in force.
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct
from collections.abc import Sequence
from pathlib import Path

__all__ = [
    "confine_files",
    "die_with_parent",
    "leave_namespaces",
    "limit",
    "lose_root",
    "no_new_privileges",
]

_libc = ctypes.CDLL(None, use_errno=True)
NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = (
    0x20000,
    0x4000000,
    0x8000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
CAPABILITIES_3 = 0x20080522
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446
_READ = 0b1101  # execute, read a file, list a folder
_NOBODY = 65534


def lose_root(readable: Sequence[str]) -> list[str]:
    """Become nobody, if this is root and nobody could still read what Python needs: the kernel does
    not count root's processes, and lets root read root's files."""
    if os.getuid() != 0 or not all(_open_to_all(Path(path)) for path in readable):
        return []
    os.setgroups([])
    os.setresgid(_NOBODY, _NOBODY, _NOBODY)
    os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    _libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # or it could not map its own user
    return ["no root"]


def _open_to_all(path: Path) -> bool:
    return all(part.stat().st_mode & (0o005 if part.is_dir() else 0o004) for part in (path, *path.parents))


def leave_namespaces() -> list[str]:
    """New user, network, mount, process, IPC and host-name namespaces; those that came about.

    The process itself keeps its number: only its next child is in the new process namespace.
    """
    uid, gid = os.getuid(), os.getgid()
    if _libc.unshare(NEWUSER | NEWNET | NEWNS | NEWPID | NEWIPC | NEWUTS) != 0:
        return ["network namespace"] if uid == 0 and _libc.unshare(NEWNET) == 0 else []
    try:
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{_NOBODY} {uid} 1")
        _write("/proc/self/gid_map", f"{_NOBODY} {gid} 1")
    except OSError:
        pass  # without a map the process is nobody all the same
    return ["user namespace", "network namespace", "mount namespace", "process namespace"]


def no_new_privileges() -> None:
    """Give up the rights over the namespaces that it made; no program started from here gains any."""
    for capability in range(64):
        _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    _libc.capset(struct.pack("=Ii", CAPABILITIES_3, 0), bytes(24))
    _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def die_with_parent() -> None:
    """Be killed when the process that started this one ends."""
    _libc.prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0)


def confine_files(readable: Sequence[str], scratch: str) -> list[str]:
    """Landlock: read only below `readable`, write only below `scratch`, and by the kernel's
    version no TCP and no signal to a process outside. What is in force; nothing without Landlock."""
    version = _libc.syscall(LANDLOCK_CREATE, None, 0, 1)
    if version < 1:
        return []
    files = (1 << (13 + (version >= 2) + (version >= 3))) - 1 | (1 << 15 if version >= 5 else 0)
    network = 0b11 if version >= 4 else 0
    scoped = 0b11 if version >= 6 else 0
    layout = struct.pack("QQQ", files, network, scoped)[: 24 if version >= 6 else 16 if version >= 4 else 8]
    ruleset = _libc.syscall(LANDLOCK_CREATE, layout, len(layout), 0)
    if ruleset < 0:
        return []
    for path in readable:
        _allow(ruleset, path, _READ if Path(path).is_dir() else _READ & ~0b1000)
    _allow(ruleset, scratch, files & ~1)
    _allow(ruleset, "/dev/null", 0b110)
    held = _libc.syscall(LANDLOCK_RESTRICT, ruleset, 0) == 0
    os.close(ruleset)
    if not held:
        return []
    return [
        "Landlock files",
        *(["Landlock TCP"] if network else []),
        *(["Landlock signals"] if scoped else []),
    ]


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    _libc.syscall(LANDLOCK_ADD, ruleset, 1, struct.pack("=Qi", rights, place), 0)
    os.close(place)


def limit(limits: dict[str, int], counted: bool) -> list[str]:
    """Resource limits. `counted`: the process limit counts this sandbox alone (user namespace)."""
    mib = 2**20
    _set(resource.RLIMIT_CORE, 0)
    _set(resource.RLIMIT_CPU, limits["cpu_seconds"])
    _set(resource.RLIMIT_AS, limits["memory_mib"] * mib)
    _set(resource.RLIMIT_FSIZE, limits["file_mib"] * mib)
    _set(resource.RLIMIT_NOFILE, limits["files"])
    _set(resource.RLIMIT_NPROC, limits["processes"] + 2 if counted else 0)
    return ["resource limits"]


def _set(which: int, value: int) -> None:
    try:
        resource.setrlimit(which, (value, value))
    except (ValueError, OSError):
        hard = resource.getrlimit(which)[1]
        resource.setrlimit(which, (min(value, hard) if hard >= 0 else value, hard))


def _write(path: str, text: str) -> None:
    file = os.open(path, os.O_WRONLY)
    try:
        os.write(file, text.encode())
    finally:
        os.close(file)
