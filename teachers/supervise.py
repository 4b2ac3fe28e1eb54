"""Runs one server and sees to it that no process of it outlives us: `supervise.py PARENT GRACE COMMAND…`.

A script of the standard library alone, started in a session of its own, so that neither an
interrupt in the terminal nor a kill -9 of its parent reaches the server unordered. When
the parent (process id PARENT) is gone or SIGTERM comes, the server gets SIGTERM, then
GRACE seconds, then its whole process group is killed; the group is also cleared when the
server ends by itself. Exits with the server's code (128 + number for a signal).
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

WAKING = {signal.SIGCHLD, signal.SIGTERM}
PERIOD = 0.5
PR_SET_PDEATHSIG = 1


def main(parent: int, grace: float, command: list[str]) -> int:
    """Run `command` to its end, or to ours."""
    signal.pthread_sigmask(signal.SIG_BLOCK, WAKING)
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


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]))
