"""One program run in a sandbox: started, watched, ended, and what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Literal

from synth.errors import SynthError
from synth.sandbox.limits import Limits

__all__ = ["Outcome", "run_python", "run_python_async"]

Status = Literal["ok", "error", "timeout", "memory", "output", "killed"]
_INSIDE = Path(__file__).with_name("inside.py")
_POOL = ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 2), thread_name_prefix="sandbox")


@dataclass(frozen=True)
class Outcome:
    """How a program ended. `attempts` are refused reaches outside, `in_force` the means that
    confined it on this machine, `code` its exit code or minus the signal that ended it."""

    status: Status
    stdout: str
    stderr: str
    code: int
    seconds: float
    attempts: tuple[str, ...] = ()
    in_force: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """The last line of its error, or how it was ended."""
        lines = self.stderr.strip().splitlines()
        return self.status if self.status != "error" or not lines else lines[-1][:300]


async def run_python_async(program: str, limits: Limits | None = None) -> Outcome:
    """`run_python` in a thread, as many at a time as there are processors."""
    return await asyncio.get_running_loop().run_in_executor(_POOL, run_python, program, limits)


def run_python(
    program: str,
    limits: Limits | None = None,
    *,
    namespaces: bool = True,
    landlock: bool = True,
    calls: bool = True,
    hooks: bool = True,
) -> Outcome:
    """Run Python source in a process of its own, with no network, no files but an empty scratch
    folder, and `limits`. Whatever it does, it ends. Raises `SynthError` where it cannot
    be confined at all. The last four switch means off, for tests."""
    if sys.platform != "linux":
        raise SynthError(
            f"generated programs cannot be run on {sys.platform}: the sandbox needs Linux",
            "run synth on Linux, or leave out skills and types whose answers are programs",
        )
    limits = limits or Limits()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="synth-sandbox-", ignore_cleanup_errors=True) as scratch:
        Path(scratch).chmod(0o777)
        ear, mouth = os.pipe()
        settings = {
            "scratch": os.path.realpath(scratch),
            "report": mouth,
            "readable": _readable(),
            "hidden": _hidden(),
            "namespaces": namespaces,
            "landlock": landlock,
            "calls": calls,
            "hooks": hooks,
            "limits": {name: value for name, value in limits.model_dump().items() if isinstance(value, int)},
        }
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_INSIDE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(mouth,),
            env={},
            start_new_session=True,
        )
        os.close(mouth)
        try:
            _feed(process, json.dumps(settings).encode() + b"\n" + program.encode())
            ended, out, err = _follow(process, limits, started)
        finally:
            _end(process)
        said = _heard(ear)
    return _outcome(process.returncode, ended, out, err, said, time.monotonic() - started)


def _feed(process: subprocess.Popen[bytes], data: bytes) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(data)
        process.stdin.close()


def _heard(ear: int) -> list[str]:
    """The lines the sandbox reported; nobody is waited for who may still hold the other end."""
    os.set_blocking(ear, False)
    try:
        return os.read(ear, 16384).decode("utf-8", "replace").splitlines()
    except BlockingIOError:
        return []
    finally:
        os.close(ear)


def _follow(
    process: subprocess.Popen[bytes], limits: Limits, started: float
) -> tuple[Status | None, str, str]:
    """Read both streams until they end, a limit is reached, or time is up."""
    assert process.stdout is not None and process.stderr is not None
    kept: dict[IO[bytes], bytearray] = {process.stdout: bytearray(), process.stderr: bytearray()}
    ended: Status | None = None
    most = limits.output_kib * 1024
    with selectors.DefaultSelector() as selector:
        for stream in kept:
            selector.register(stream, selectors.EVENT_READ, stream)
        while selector.get_map():
            left = started + limits.seconds - time.monotonic()
            if left <= 0:
                ended = "timeout"
                break
            for key, _ in selector.select(left):
                stream = key.data
                data = os.read(stream.fileno(), 65536)
                if not data:
                    selector.unregister(stream)
                kept[stream] += data
            if sum(map(len, kept.values())) > most:
                ended = "output"
                break
    out, err = (bytes(text[:most]).decode("utf-8", "replace") for text in kept.values())
    return ended, out, err


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the whole session; in a process namespace its first process takes all others along."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(0.05 if process.poll() is None else 0)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def _outcome(code: int, ended: Status | None, out: str, err: str, said: list[str], seconds: float) -> Outcome:
    force = next((line.removeprefix("in force: ") for line in said if line.startswith("in force: ")), "")
    attempts = tuple(line[:200] for line in said if not line.startswith(("in force: ", "MemoryError")))
    status: Status
    if ended is not None:
        status = ended
    elif "MemoryError" in said or "MemoryError" in err.rpartition("\n")[2] or "MemoryError" in err[-200:]:
        status = "memory"
    elif code == -signal.SIGXCPU or (code == -signal.SIGKILL):
        status = "timeout"
    elif code < 0:
        status = "killed"
    else:
        status = "error" if code else "ok"
    return Outcome(status, out, err, code, seconds, attempts, tuple(force.split(", ")) if force else ())


@lru_cache(maxsize=1)
def _readable() -> list[str]:
    """What the interpreter itself needs: its library and the system's shared ones; of a virtual
    environment nothing."""
    found = {f"{sys.base_prefix}/lib", f"{sys.base_exec_prefix}/{sys.platlibdir}"}
    found |= {str(Path(os.__file__).parent), "/dev/urandom", "/dev/null"}
    found |= {"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/usr/share/zoneinfo"}
    return sorted({os.path.realpath(path) for path in found if Path(path).exists()})


@lru_cache(maxsize=1)
def _hidden() -> list[str]:
    """Folders of packages installed beside the interpreter, below what it may read."""
    library = Path(os.path.realpath(os.__file__)).parent
    places = (library / "site-packages", library / "dist-packages", Path("/usr/lib/python3/dist-packages"))
    return [str(place) for place in places if place.is_dir()]
