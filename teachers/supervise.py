"""Runs one server and sees to it that no process of it outlives us: `supervise.py PARENT GRACE COMMAND…`.

A script of the standard library alone, started in a session of its own, so that neither an
interrupt in the terminal nor a kill -9 of its parent reaches the server unordered. When
the parent (process id PARENT) is gone or SIGTERM comes, the server gets SIGTERM, then
GRACE seconds, then SIGKILL with all it has started. What the server leaves when it ends
by itself is killed too. Ends when the last of them is gone, their memory with them, with
the server's exit code (128 + number for a signal).
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

WAKING = {signal.SIGCHLD, signal.SIGTERM}
PERIOD = 0.5
LAST_SECONDS = 10.0
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def main(parent: int, grace: float, command: list[str]) -> int:
    """Run `command` to its end, or to ours."""
    signal.pthread_sigmask(signal.SIG_BLOCK, WAKING)
    # Orphans of the server become children of this process, which so knows of all of them.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    server = subprocess.Popen(command, start_new_session=True, preexec_fn=_in_server)
    while not _ended(server.pid):
        got = signal.sigtimedwait(WAKING, PERIOD)
        if os.getppid() != parent or (got is not None and got.si_signo == signal.SIGTERM):
            _stop(server.pid, grace)
            break
    # The leader is not reaped yet, so its number cannot belong to another group.
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    code = server.wait()
    _clear()
    return code if code >= 0 else 128 - code


def _in_server() -> None:
    """In the new process: the usual signal mask, and SIGTERM should this supervisor be killed."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, WAKING)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _stop(pid: int, grace: float) -> None:
    os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + grace
    while not _ended(pid) and time.monotonic() < until:
        signal.sigtimedwait({signal.SIGCHLD}, min(PERIOD, grace))


def _clear() -> None:
    """Kill and reap what has come to us, and what that leaves, until nothing is left."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    until = time.monotonic() + LAST_SECONDS
    while time.monotonic() < until:
        for child in children.read_text().split() if children.exists() else ():
            os.kill(int(child), signal.SIGKILL)
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                signal.sigtimedwait({signal.SIGCHLD}, 0.1)
        except ChildProcessError:
            return


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]))
