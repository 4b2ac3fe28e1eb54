"""The process that becomes the sandbox: confines itself step by step, then runs the program.

Started by `synth.sandbox.run` as `python -I -S inside.py`, with the settings as one JSON line on
standard input and the program after it. What is in force and what was attempted goes, one line
each, to the descriptor it is told.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

_HERE = str(Path(__file__).resolve().parent)
sys.path.insert(0, _HERE)

import kernel  # type: ignore[import-not-found]  # noqa: E402
from watch import watch  # type: ignore[import-not-found]  # noqa: E402


def main() -> None:
    """Confine, fork into the new process namespace, run, and pass its end on."""
    settings = json.loads(sys.stdin.buffer.readline())
    program = sys.stdin.buffer.read()
    readable = [path for path in settings["readable"] if Path(path).exists()]
    kernel.die_with_parent()
    force: list[str] = kernel.lose_root(readable)
    force += kernel.leave_namespaces() if settings["namespaces"] else []
    apart = "user namespace" in force
    if apart and kernel.mount_scratch(settings["scratch"], settings["limits"]["file_mib"]):
        force.append("scratch of its own")
    child = os.fork()
    if child:
        os.close(settings["report"])
        _end_like(os.waitpid(child, 0)[1])
    os.chdir(settings["scratch"])
    kernel.die_with_parent()
    kernel.no_new_privileges()
    if settings["landlock"]:
        force += kernel.confine_files(readable, settings["scratch"])
    force += kernel.limit(settings["limits"], counted=apart)
    if settings["hooks"]:
        force.append("audit hooks")
    os.write(settings["report"], ("in force: " + ", ".join(force) + "\n").encode())

    def close() -> None:
        if settings["hooks"]:
            watch(readable, settings["scratch"], settings["report"])

    _run(program, settings, close)


def _end_like(status: int) -> None:
    """End as the child did, so that the parent sees by what."""
    if os.WIFSIGNALED(status):
        ended_by = os.WTERMSIG(status)
        if ended_by != signal.SIGKILL:
            signal.signal(ended_by, signal.SIG_DFL)
        os.kill(os.getpid(), ended_by)
    os._exit(os.WEXITSTATUS(status))


def _run(program: bytes, settings: dict[str, Any], close: Callable[[], None]) -> None:
    """The program as `__main__`; `close` shuts the last door before its first line."""
    os.environ.clear()
    os.environ.update({"HOME": settings["scratch"], "TMPDIR": settings["scratch"], "LC_ALL": "C.UTF-8"})
    sys.path[:] = [path for path in sys.path if path != _HERE]
    sys.stdin = Path(os.devnull).open()  # noqa: SIM115
    sys.argv = ["program.py"]
    # The first process of a namespace is not ended by its limit unless it says so itself.
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    for name in ("kernel", "watch", "ctypes", "_ctypes"):
        sys.modules.pop(name, None)
    code = 0
    try:
        compiled = compile(program, "program.py", "exec")
        close()
        exec(compiled, {"__name__": "__main__", "__builtins__": __builtins__})
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except MemoryError:
        os.write(settings["report"], b"MemoryError\n")
        code = 1
    except BaseException:
        traceback.print_exc(limit=-6)
        code = 1
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code & 0xFF)


if __name__ == "__main__":
    main()
