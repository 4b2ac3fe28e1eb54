"""A look at this machine: what a run needs, what is there, and how to mend what is not."""

from __future__ import annotations

import asyncio
import os
import platform
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from synth.config import Loaded, ServerOptions
from synth.errors import ServerError
from synth.figures import duration
from synth.gpu import ask_gpus, visible_gpus
from synth.gpu.fits import profiles_that_fit
from synth.gpu.sizes import GIB
from synth.students.memory import free_ram
from synth.teachers.models.cache import cache_root
from synth.teachers.models.listing import list_models
from synth.teachers.vllm import VllmServer
from synth.teachers.vllm_args import build_of, server_python

__all__ = ["Depth", "Finding", "look", "look_at"]

State = Literal["ok", "note", "broken"]
Depth = Literal["quick", "import", "serve"]
LEAST_DISK, GOOD_DISK = 1 * GIB, 10 * GIB
LEAST_MEMORY, GOOD_MEMORY = 2 * GIB, 8 * GIB
PACKAGES = ("langgraph", "openai", "datasets", "huggingface_hub", "torch", "transformers", "trl", "peft")
"""Those whose versions decide how a run goes; the last four train."""
TRAINING = PACKAGES[4:]
FILES = 4096
"""Open files that several hundred calls in flight need."""
PORT = 8000
"""The port that vLLM takes when it is started by hand."""


class Finding(BaseModel):
    """One thing looked at. `note` is worth knowing, `broken` stops runs; `cure` says what to do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    state: State
    said: str
    cure: str = ""


def look(depth: Depth = "import", seconds: float = 300.0) -> Iterator[Finding]:
    """All findings, as they come. vLLM is only looked for (`quick`), imported in a process of its
    own, or started with the smallest model that is here (`serve`); it may take so many `seconds`."""
    checks: list[Callable[[], Finding]] = [_python, _cores, _memory, _gpu, *_disks(), _files, _ports]
    checks += [partial(_package, name) for name in PACKAGES]
    for check in (*checks, _token, _models):
        yield check()
    installed = _vllm()
    yield installed
    if depth == "quick" or installed.state == "broken":
        return
    yield _imported(server_python(), seconds)
    if depth == "serve":
        yield _served(seconds)


def look_at(load: Callable[[str | None], Loaded]) -> Iterator[Finding]:
    """Memory and GPUs, and which profiles of a flow file they are enough for; `load` reads it with one.

    The last finding is broken where none is. Raises `SynthError` for a faulty file.
    """
    yield from (_memory(), _gpu())
    gpus = visible_gpus()
    if gpus and (installed := _vllm()).said.startswith("the CPU build"):
        yield installed
        gpus = ()
    fitting = 0
    for fit in profiles_that_fit(load, gpus, free_ram()):
        fitting += fit.fits is not False
        name = f"--profile {fit.profile}" if fit.profile else "no profile"
        said = {True: "fits", False: "does not fit", None: "cannot be told"}[fit.fits]
        yield Finding(name=name, state="ok" if fit.fits else "note", said=f"{said}: {fit.why}")
    if not fitting:
        cure = "take smaller models, or have them served elsewhere (base_url)"
        yield Finding(name="profiles", state="broken", said="none fits this machine", cure=cure)


def _python() -> Finding:
    said = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding(name="python", state="ok", said=said)


def _cores() -> Finding:
    """Cores this process may use, and the widest vector instructions."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    flags = _cpu_flags()
    widest = next((name for name in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if name in flags), "")
    said = f"{cores} cores{f', {widest}' if widest else ''}"
    if platform.machine() == "x86_64" and flags and not widest:
        return Finding(
            name="processor",
            state="note",
            said=f"{said}; neither AVX2 nor AVX-512",
            cure="vLLM's CPU build needs AVX2; use an endpoint, or another machine",
        )
    return Finding(name="processor", state="ok", said=said)


def _cpu_flags() -> set[str]:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return set()
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    return set(found[1].split()) if found else set()


def _memory() -> Finding:
    import psutil

    memory = psutil.virtual_memory()
    said = f"{memory.available / GIB:.1f} of {memory.total / GIB:.1f} GiB free"
    if memory.available < LEAST_MEMORY:
        return Finding(name="memory", state="broken", said=said, cure="end other programs; a run needs 2 GiB")
    if memory.available < GOOD_MEMORY:
        cure = "enough for models of some hundred million parameters; larger ones need more, or an endpoint"
        return Finding(name="memory", state="note", said=said, cure=cure)
    return Finding(name="memory", state="ok", said=said)


def _gpu() -> Finding:
    """NVIDIA's GPUs, as `nvidia-smi` tells of them."""
    try:
        gpus = ask_gpus()
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        said = f"nvidia-smi is there and does not work: {error}"
        return Finding(name="gpu", state="broken", said=said, cure="mend the driver, or remove nvidia-smi")
    if not gpus:
        return Finding(name="gpu", state="ok", said="none; models run on the processor")
    said = "; ".join(
        f"{gpu.index}: {gpu.name}, {gpu.free / GIB:.1f} of {gpu.total / GIB:.1f} GiB free" for gpu in gpus
    )
    return Finding(name="gpu", state="ok", said=said)


def _disks() -> list[Callable[[], Finding]]:
    """The places runs and models are written to."""
    home = os.environ.get("HF_HOME") or "~/.cache/huggingface"
    places = {
        "disk here": (Path(), "free some space, or give --runs a folder elsewhere"),
        "disk of models": (cache_root(), "free some space, or set SYNTH_CACHE to a folder elsewhere"),
        "disk of the hub": (Path(home).expanduser(), "free some space, or set HF_HOME to a folder elsewhere"),
    }
    return [partial(_disk, name, *where) for name, where in places.items()]


def _disk(name: str, place: Path, cure: str) -> Finding:
    there = next(folder for folder in (place.absolute(), *place.absolute().parents) if folder.exists())
    free = shutil.disk_usage(there).free
    said = f"{free / GIB:.1f} GiB free in {place.absolute()}"
    if not os.access(there, os.W_OK):
        return Finding(name=name, state="broken", said=f"{place.absolute()} may not be written to", cure=cure)
    state: State = "broken" if free < LEAST_DISK else "note" if free < GOOD_DISK else "ok"
    return Finding(name=name, state=state, said=said, cure="" if state == "ok" else cure)


def _files() -> Finding:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    said = "no limit" if most == resource.RLIM_INFINITY else f"up to {most:,}"
    if most != resource.RLIM_INFINITY and most < FILES:
        return Finding(
            name="open files", state="note", said=said, cure=f"ulimit -n {FILES}, for many calls at once"
        )
    return Finding(name="open files", state="ok", said=said)


def _ports() -> Finding:
    """Whether servers can listen on loopback, and who has vLLM's usual port."""
    try:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
    except OSError as error:
        said = f"no port of 127.0.0.1 can be had: {error.strerror or error}"
        return Finding(name="ports", state="broken", said=said, cure="allow loopback connections")
    with socket.socket() as usual:
        taken = usual.connect_ex(("127.0.0.1", PORT)) == 0
    said = "free ones on 127.0.0.1"
    if taken:
        cure = "no harm: servers take free ports; do not write server.port: 8000"
        return Finding(name="ports", state="note", said=f"{said}; {PORT} is in use", cure=cure)
    return Finding(name="ports", state="ok", said=said)


def _package(name: str) -> Finding:
    try:
        return Finding(name=name, state="ok", said=metadata.version(name))
    except metadata.PackageNotFoundError:
        extra = "synth[cpu] or synth[gpu], which train" if name in TRAINING else "synth"
        return Finding(name=name, state="broken", said="not installed", cure=f"pip install {extra}")


def _token() -> Finding:
    """Whether the hub would know who asks. The token itself is never shown."""
    if os.environ.get("HF_HUB_OFFLINE"):
        return Finding(
            name="hub", state="note", said="HF_HUB_OFFLINE is set", cure="unset it to download models"
        )
    there = bool(os.environ.get("HF_TOKEN"))
    said = "HF_TOKEN is set" if there else "no HF_TOKEN; only gated models and synth push need one"
    return Finding(name="hub", state="ok", said=said)


def _models() -> Finding:
    here = [model.name for model in list_models() if model.cached]
    if here:
        return Finding(name="models", state="ok", said=f"here: {', '.join(here)}")
    cure = "a run fetches what it needs; synth models lists what has a name"
    return Finding(name="models", state="note", said="none on this machine yet", cure=cure)


def _vllm() -> Finding:
    """Which build of vLLM is installed where it would be run."""
    python = server_python()
    try:
        build = build_of(python)
    except ServerError as error:
        return Finding(name="vllm", state="broken", said=error.what, cure=error.cure)
    where = "" if python == sys.executable else f" in {python}"
    if build == "cpu" and shutil.which("nvidia-smi"):
        cure = "install the GPU build (make BACKEND=gpu) to use the GPU"
        return Finding(name="vllm", state="note", said=f"the CPU build{where}", cure=cure)
    return Finding(name="vllm", state="ok", said=f"the {build.upper()} build{where}")


def _imported(python: str, seconds: float) -> Finding:
    """Whether vLLM's server can be imported: that finds missing libraries and wrong processors."""
    code = "import vllm; import vllm.entrypoints.openai.api_server; print(vllm.__version__)"
    try:
        asked = subprocess.run(
            [python, "-c", code],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            env={**os.environ, "VLLM_LOGGING_LEVEL": "ERROR"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding(
            name="vllm import", state="broken", said=str(error), cure="try again on a quieter machine"
        )
    lines = (asked.stdout if asked.returncode == 0 else asked.stderr).strip().splitlines() or ["(no output)"]
    if asked.returncode == 0:
        return Finding(name="vllm import", state="ok", said=lines[-1])
    cure = f"see the whole of it: {python} -c 'import vllm'; then install vLLM anew (make setup)"
    return Finding(name="vllm import", state="broken", said=lines[-1], cure=cure)


def _served(seconds: float) -> Finding:
    """Whether a server really starts, with the smallest model that is here."""
    here = sorted((model.size, model.name, model.path) for model in list_models() if model.path)
    if not here:
        cure = "synth run or synth eval fetches a model; then look again"
        return Finding(name="vllm server", state="note", said="no model here to try it with", cure=cure)
    _, name, path = here[0]
    with tempfile.TemporaryDirectory(prefix="synth-doctor-") as scratch:
        options = ServerOptions(max_model_len=512)
        server = VllmServer(path, name, options, Path(scratch) / "server.log", start_seconds=seconds)
        begun = time.monotonic()
        try:
            asyncio.run(_up_and_down(server))
        except ServerError as error:
            return Finding(
                name="vllm server", state="broken", said=error.what, cure="mend what the log names"
            )
        took = duration(time.monotonic() - begun)
    return Finding(name="vllm server", state="ok", said=f"served {name}; {took} to start and stop")


async def _up_and_down(server: VllmServer) -> None:
    async with server:
        server.check()
