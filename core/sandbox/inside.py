"""The process that becomes the sandbox: confines itself step by step, then runs the program.

Started by `synth.sandbox.run` as `python -I -S inside.py`, with the settings as one JSON line on
standard input and the program after it. What is in force and what was attempted goes, one line
each, to the descriptor it is told.
"""

from __future__ import annotations

import json
import linecache
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

_HERE = str(Path(__file__).resolve().parent)
_OWN = [str(path) for path in Path(_HERE).glob("*.py")]
sys.path.insert(0, _HERE)

import kernel  # type: ignore[import-not-found]  # noqa: E402
from calls import filter_calls  # type: ignore[import-not-found]  # noqa: E402
from root import change_root  # type: ignore[import-not-found]  # noqa: E402
from watch import watch  # type: ignore[import-not-found]  # noqa: E402


def main() -> None:
    """Confine, fork into the new process namespace, run, and pass its end on."""
    settings = json.loads(sys.stdin.buffer.readline())
    program = sys.stdin.buffer.read()
    readable = [path for path in settings["readable"] if Path(path).exists()]
    force: list[str] = kernel.lose_root(readable)
    force += kernel.leave_namespaces() if settings["namespaces"] else []
    kernel.die_with_parent()  # now: a change of user would undo it
    apart = "user namespace" in force
    scratch, most = settings["scratch"], settings["limits"]["file_mib"]
    own_root = apart and change_root(readable, settings["hidden"], scratch, most)
    force += ["root of its own"] if own_root else []
    child = os.fork()
    if child:
        os.close(settings["report"])
        _end_like(os.waitpid(child, 0)[1])
    os.chdir(scratch)
    kernel.die_with_parent()
    kernel.no_new_privileges()
    if settings["landlock"]:
        force += kernel.confine_files(readable, scratch)
    force += kernel.limit(settings["limits"], counted=apart)
    if settings["calls"] and filter_calls(own_root):
        force.append("system calls")
    if settings["hooks"]:
        force.append("audit hooks")
    os.write(settings["report"], ("in force: " + ", ".join(force) + "\n").encode())

    def close() -> None:
        if settings["hooks"]:
            watch(readable, scratch, settings["report"])

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
    for name in ("kernel", "calls", "root", "watch", "ctypes", "_ctypes"):
        sys.modules.pop(name, None)
    # What a traceback shows is not looked for in files.
    shown = {**dict.fromkeys(_OWN, ""), "program.py": program.decode("utf-8", "replace")}
    for name, text in shown.items():
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
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
    except BaseException as error:
        own = error.__traceback__.tb_next if error.__traceback__ else None  # less the line that ran it
        traceback.print_exception(type(error), error, own, limit=-6)
        code = 1
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code & 0xFF)


if __name__ == "__main__":
    main()
