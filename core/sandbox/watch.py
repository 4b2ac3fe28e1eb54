"""Audit hooks: the first line inside the interpreter. They refuse what a program has no business
with and write down that it tried. A program that means to can pass them by, in Python too: the kernel's
means stand behind them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

__all__ = ["watch"]

REFUSED = (
    "socket.", "ctypes.", "os.kill", "os.killpg", "os.exec", "os.posix_spawn", "os.spawn", "os.system",
    "subprocess.Popen", "os.setuid", "os.chroot", "os.mount", "shutil.chown", "os.chown", "pty.spawn",
    "signal.pthread_kill", "resource.setrlimit", "resource.prlimit", "fcntl.ioctl", "syslog.", "webbrowser.",
    "ftplib.", "http.client.", "urllib.Request", "smtplib.", "mmap.__new__", "os.fork", "gc.get_",
)  # fmt: skip
"""Beginnings of audit events that are refused."""
ALLOWED = ("socket.gethostname",)
PAIRS = 1
"""The family of sockets whose pairs an event loop wakes itself with; the others lead outside."""
WRITING = {
    "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod",
    "os.utime", "shutil.rmtree", "shutil.move", "os.listxattr", "os.setxattr",
}  # fmt: skip
MOST = 20
"""Attempts that are written down."""


def watch(readable: Sequence[str], scratch: str, report: int) -> None:
    """Refuse from now on; each attempt is a line on the descriptor `report`. Cannot be undone."""
    roots = tuple(root.rstrip("/") + "/" for root in (*readable, scratch))
    own = scratch.rstrip("/") + "/"
    # Held here, where a change to a module does not reach them.
    refused, allowed, writing, realpath = REFUSED, ALLOWED, WRITING, os.path.realpath
    said = 0

    def refuse(event: str, detail: object) -> None:
        nonlocal said
        if said < MOST:
            said += 1
            os.write(report, f"{event} {detail}"[:200].replace("\n", " ").encode() + b"\n")
        raise PermissionError(f"the sandbox refuses {event}")

    def within(path: object, places: tuple[str, ...]) -> bool:
        if isinstance(path, int) or path is None:
            return True
        whole = realpath(os.fsdecode(path))  # type: ignore[arg-type]
        return f"{whole}/".startswith(places) or whole == "/dev/null"

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = args
            writes = isinstance(mode, str) and any(c in mode for c in "wax+")
            writes = writes or bool(isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
            if not within(path, (own,) if writes else roots):
                refuse("open", path)
        elif event in writing:
            if not all(within(path, (own,)) for path in args if isinstance(path, str | bytes)):
                refuse(event, args[:2])
        elif event in ("os.listdir", "os.scandir", "os.chdir"):
            if not within(args[0] if args else None, roots):
                refuse(event, args[:1])
        elif event == "socket.__new__" and args[1] == PAIRS:
            return
        elif event.startswith(refused) and event not in allowed:
            refuse(event, args[:2] if event.startswith(("os.", "socket.")) else "")

    sys.addaudithook(hook)
