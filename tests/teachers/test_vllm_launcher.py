"""The launcher: a server that starts, fails, dies or is left behind always comes to a clear end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import aiohttp
import psutil
import pytest

from synth.config.flowfile import ServerOptions
from synth.errors import ServerError
from synth.teachers import server_log, vllm, vllm_control
from synth.teachers.models import resolve
from synth.teachers.vllm import VllmServer
from synth.teachers.vllm_args import arguments, build_of, environment
from tests.support.openai_server import ScriptedServer

FAKE = Path(__file__).with_name("fake_vllm.py")
PATIENCE = 60.0

OWNER = """
import asyncio, pathlib, signal, sys
from synth.config.flowfile import ServerOptions
from synth.teachers.vllm import VllmServer

async def main():
    command = [sys.executable, sys.argv[1], sys.argv[2]]
    log = pathlib.Path(sys.argv[3])
    async with VllmServer(log.parent, "base", ServerOptions(), log, command=command, stop_seconds=1):
        print("up", flush=True)
        await asyncio.sleep(600)

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background ignores it
asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the server's health every few milliseconds."""
    monkeypatch.setattr(vllm, "POLL_SECONDS", 0.02)


def fake(tmp_path: Path, mode: str, *extra: str, port: int | None = None) -> VllmServer:
    return VllmServer(
        tmp_path,
        "base",
        ServerOptions(port=port),
        tmp_path / "server.log",
        start_seconds=60.0,
        stop_seconds=1.0,
        command=[sys.executable, str(FAKE), mode, *extra],
    )


def pids(log: Path) -> list[int]:
    """The processes of the server's last start, as it printed them."""
    lines = [line for line in log.read_text().splitlines() if line.startswith("pids ")]
    return [int(pid) for pid in lines[-1].split()[1:]]


def gone(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def until(true: Callable[[], bool], what: str) -> None:
    """Wait for something other processes do, a bounded time."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"waited {PATIENCE:.0f} s for {what}"
        time.sleep(0.02)


async def test_a_slow_server_is_waited_for_and_stopped_with_all_its_processes(tmp_path: Path) -> None:
    """Starting ends when the server is healthy, progress is told, and stopping leaves no process."""
    told: list[tuple[float, str]] = []
    server = fake(tmp_path, "slow")
    await server.start(on_wait=lambda seconds, line: told.append((seconds, line)))
    assert server.alive and server.base_url.endswith("/v1")
    assert len(told) >= 3 and told[-1][1].startswith("pids ")
    family = pids(server.log)
    assert os.getsid(family[0]) != os.getsid(0)
    await server.stop()
    assert not server.alive
    assert all(gone(pid) for pid in family), "a process of the server's group was left"
    assert server.tail()[-1] == "got SIGTERM"
    await server.watch()  # an ordered stop is no death


async def test_a_server_that_dies_at_start_says_its_first_error(tmp_path: Path) -> None:
    """The error names the root cause, not the last line of the traceback, and shows the log's end."""
    server = fake(tmp_path, "dies")
    with pytest.raises(ServerError) as caught:
        await server.start()
    assert "died (exit 3): torch.OutOfMemoryError: tried to allocate 9 GiB" in caught.value.what
    assert "See root cause above" in caught.value.what
    assert str(server.log) in caught.value.cure
    assert "lower server.gpu_memory_utilization" in caught.value.cure
    assert all(gone(pid) for pid in pids(server.log))


@pytest.mark.parametrize(
    ("line", "cure"),
    [
        (
            "Free memory on device cuda:0 (1.2/139 GiB) on startup is less than desired GPU memory",
            "nvidia-smi",
        ),
        ("ValueError: No available memory for the cache blocks. Try increasing", "server.max_model_len"),
        (
            "  Value error, User-specified max_model_len (9000) is greater than the derived max_model_len",
            "what the model was made for",
        ),
        ("ValueError: Model architectures ['Odd'] are not supported for now.", "newer"),
        ("ValueError: something nobody foresaw", ""),
    ],
)
def test_usual_faults_have_a_cure(tmp_path: Path, line: str, cure: str) -> None:
    """What the server's log says in its own words becomes what to change in the flow file."""
    log = tmp_path / "server.log"
    log.write_text(f"earlier start: CUDA out of memory\n{line}\n")
    found = server_log.cure_of(log, len("earlier start: CUDA out of memory\n"))
    assert cure in found and bool(found) == bool(cure)


async def test_a_server_that_never_answers_is_given_up(tmp_path: Path) -> None:
    """The time limit holds and the mute server is removed."""
    server = fake(tmp_path, "mute")

    def impatient(seconds: float, line: str) -> None:
        if line.startswith("pids "):
            server._start_seconds = 0.0

    with pytest.raises(ServerError, match="did not answer within"):
        await server.start(on_wait=impatient)
    assert not server.alive and all(gone(pid) for pid in pids(server.log))


async def test_a_later_death_is_noticed(tmp_path: Path) -> None:
    """Whoever watches is told with the log's end, and what the server left is removed."""
    async with fake(tmp_path, "well") as server:
        watching = asyncio.create_task(server.watch())
        server.check()
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientError):
                await session.post(f"{server.root}/die")
        with pytest.raises(ServerError, match=r"died \(exit 7\): RuntimeError: no memory left"):
            await asyncio.wait_for(watching, PATIENCE)
        with pytest.raises(ServerError, match="no memory left"):
            server.check()
        assert all(gone(pid) for pid in pids(server.log))


async def test_a_server_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    """Stopping is bounded however stubborn the server is."""
    server = fake(tmp_path, "stubborn")
    await server.start()
    family = pids(server.log)
    began = time.monotonic()
    await server.stop()
    assert time.monotonic() - began < PATIENCE
    assert all(gone(pid) for pid in family)
    assert "got SIGTERM" in server.tail()


@pytest.mark.parametrize("mode", ["well", "stubborn"])
def test_kill_9_of_the_owner_leaves_no_process(tmp_path: Path, mode: str) -> None:
    """The server and its children end with the process that started it, even if that is killed."""
    log = tmp_path / "server.log"
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(FAKE), mode, str(log)], stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None and owner.stdout.readline() == "up\n"
    family = pids(log)
    supervisor = psutil.Process(family[0]).ppid()
    owner.kill()
    owner.wait()
    until(lambda: all(gone(pid) for pid in [*family, supervisor]), "the server to be gone")


async def test_a_killed_supervisor_still_ends_the_server(tmp_path: Path) -> None:
    """Should the supervisor itself be killed, the server is asked to end, and its end is noticed."""
    server = fake(tmp_path, "well")
    await server.start()
    leader, *children = pids(server.log)
    try:
        psutil.Process(leader).parent().kill()
        with pytest.raises(ServerError, match=r"died \(exit -9\)"):
            await asyncio.wait_for(server.watch(), PATIENCE)
        until(lambda: gone(leader), "the server to be gone")
        assert "got SIGTERM" in server.tail()
    finally:
        for child in children:
            psutil.Process(child).kill()


def test_an_interrupt_in_the_terminal_stops_the_server_in_order(tmp_path: Path) -> None:
    """Ctrl-C reaches the owner's group only; the owner then stops the server with SIGTERM."""
    log = tmp_path / "server.log"
    command = [sys.executable, "-c", OWNER, str(FAKE), "well", str(log)]
    owner = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert owner.stdout is not None and owner.stdout.readline() == "up\n"
    os.killpg(owner.pid, signal.SIGINT)
    owner.communicate(timeout=PATIENCE)
    said = log.read_text().splitlines()
    assert "got SIGTERM" in said and "got SIGINT" not in said
    assert all(gone(pid) for pid in pids(log))


async def test_a_port_lost_to_another_program_is_chosen_anew(tmp_path: Path) -> None:
    """Between choosing a free port and listening on it another program may take it."""
    once = tmp_path / "once"
    async with fake(tmp_path, "unlucky", "--once", str(once)) as server:
        assert server.alive and once.exists()


async def test_a_fixed_port_in_use_is_refused_before_the_start(tmp_path: Path) -> None:
    """The error names the port and the cure, and nothing was started."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        server = fake(tmp_path, "well", port=port)
        with pytest.raises(ServerError, match=f"port {port} is in use") as caught:
            await server.start()
    assert "server.port" in caught.value.cure and not server.log.exists()


async def test_an_answer_under_another_name_is_not_our_server(tmp_path: Path) -> None:
    """A healthy stranger on the port is never taken for the server."""
    with pytest.raises(ServerError, match="another program"):
        await fake(tmp_path, "stranger").start()


async def test_a_start_that_is_cancelled_leaves_no_process(tmp_path: Path) -> None:
    """Cancelling `start` stops what it had started."""
    server = fake(tmp_path, "mute")
    running = asyncio.Event()
    starting = asyncio.create_task(
        server.start(on_wait=lambda _, line: running.set() if line.startswith("pids ") else None)
    )
    await asyncio.wait_for(running.wait(), PATIENCE)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert all(gone(pid) for pid in pids(server.log))


def test_cpu_arguments(tmp_path: Path) -> None:
    """The CPU build gets float32, eager mode and a bounded context, of a sentence encoder its own; the
    user's arguments cannot move it."""
    (tmp_path / "config.json").write_text('{"max_position_embeddings": 1024}')
    options = ServerOptions(args=("--max-num-seqs", "4", "--host", "0.0.0.0"))
    args = arguments("cpu", tmp_path, "base", options, 8001, lora=True, max_lora_rank=20)
    line = " ".join(args)
    assert "--dtype float32" in line and "--enforce-eager" in args and "--max-model-len 1024" in line
    assert "--enable-lora" in args and "--max-lora-rank 32" in line and "--max-num-seqs 4" in line
    assert line.endswith(f"--model {tmp_path} --served-model-name base --host 127.0.0.1 --port 8001")
    (tmp_path / "sentence_bert_config.json").write_text('{"max_seq_length": 256}')
    encoder = arguments("cpu", tmp_path, "base", ServerOptions(), 8001, lora=False, max_lora_rank=16)
    assert "--max-model-len 256" in " ".join(encoder)


def test_gpu_arguments(tmp_path: Path) -> None:
    """The GPU build compiles, takes bfloat16 and its share of the memory, and the model's own length."""
    options = ServerOptions(gpu_memory_utilization=0.5, tensor_parallel_size=2)
    line = " ".join(arguments("gpu", tmp_path, "base", options, 8001, lora=False, max_lora_rank=16))
    assert "--dtype bfloat16" in line and "--gpu-memory-utilization 0.5" in line
    assert "--tensor-parallel-size 2" in line
    assert not any(flag in line for flag in ("eager", "max-model-len", "lora"))


def test_environment() -> None:
    """All cores are used, nothing is reported, no key is demanded, weights are replaced only by leave."""
    base = {"VLLM_API_KEY": "secret", "OMP_NUM_THREADS": "1", "HOME": "/home/me"}
    options = ServerOptions(kv_cache_gib=3, tensor_parallel_size=1)
    variables = environment("cpu", options, lora=True, dev=False, base=base)
    cores = ",".join(str(core) for core in sorted(os.sched_getaffinity(0)))
    assert variables["VLLM_CPU_OMP_THREADS_BIND"] == cores
    assert variables["VLLM_CPU_KVCACHE_SPACE"] == "3" and variables["VLLM_NO_USAGE_STATS"] == "1"
    assert variables["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] == "1" and variables["HOME"] == "/home/me"
    assert not {"VLLM_API_KEY", "OMP_NUM_THREADS", "VLLM_SERVER_DEV_MODE"} & set(variables)
    assert environment("gpu", options, lora=False, dev=True, base={})["VLLM_SERVER_DEV_MODE"] == "1"


def test_an_interpreter_without_vllm_is_named(tmp_path: Path) -> None:
    """A wrong SYNTH_VLLM_PYTHON is said before anything is started."""
    with pytest.raises(ServerError, match="does not run") as caught:
        build_of(str(tmp_path / "python"))
    assert "SYNTH_VLLM_PYTHON" in caught.value.cure
    bare = tmp_path / "bare"
    bare.write_text("#!/bin/sh\n")
    bare.chmod(0o755)
    with pytest.raises(ServerError, match="vLLM is not installed"):
        build_of(str(bare))


async def test_adapters_and_refusals(tmp_path: Path) -> None:
    """An adapter is loaded once under its name; a refusal carries the server's own words."""
    async with ScriptedServer(reply=lambda messages, body: "4") as server:
        root = server.base_url.removesuffix("/v1")
        await vllm_control.load_adapter(root, "r1", tmp_path)
        assert "r1" in await vllm_control.served_names(root)
        with pytest.raises(ServerError, match="already been loaded"):
            await vllm_control.load_adapter(root, "r1", tmp_path)


async def test_whole_weights_are_replaced_between_requests(tmp_path: Path) -> None:
    """Pause, reload, drop the old weights' prefixes, resume: in this order, always ending with resume."""
    async with ScriptedServer(reply=lambda messages, body: "4") as server:
        await vllm_control.reload_weights(server.base_url.removesuffix("/v1"), tmp_path, "v2")
        routes = [route for route, _ in server.admin.calls]
        bodies = dict(server.admin.calls)
    assert routes == [
        "/pause?mode=wait",
        "/collective_rpc",
        "/reset_prefix_cache",
        "/update_weight_version",
        "/resume",
    ]
    assert bodies["/collective_rpc"]["kwargs"] == {"weights_path": str(tmp_path)}
    assert bodies["/update_weight_version"] == {"new_version": "v2"}


async def test_metrics_are_read() -> None:
    """The few figures that steer concurrency come out as numbers."""
    async with ScriptedServer(reply=lambda messages, body: "4") as server:
        figures = await vllm_control.metrics(server.base_url.removesuffix("/v1"))
    assert set(figures) == {
        "num_requests_running",
        "num_requests_waiting",
        "kv_cache_usage_perc",
        "prefix_cache_queries",
        "prefix_cache_hits",
        "num_preemptions",
    }
    assert figures["num_requests_running"] == 0.0


async def test_nobody_there_is_a_clear_error() -> None:
    """A server that is gone gives one error that names the call."""
    with pytest.raises(ServerError, match="/metrics got no answer"):
        await vllm_control.metrics("http://127.0.0.1:9")


def vllm_here() -> bool:
    return any(found.metadata["Name"] in ("vllm", "vllm-cpu") for found in metadata.distributions())


@pytest.mark.vllm
@pytest.mark.slow
@pytest.mark.skipif(not vllm_here(), reason="vLLM is not installed")
async def test_real_vllm_answers_and_leaves_nothing(tmp_path: Path) -> None:
    """The real server starts with these arguments, answers greedily, tells its figures and goes."""
    model = resolve("smollm2-135m")
    log = tmp_path / "server.log"
    before = set(psutil.Process().children(recursive=True))
    async with VllmServer(model, "base", ServerOptions(kv_cache_gib=1), log, lora=True) as server:
        family = set(psutil.Process().children(recursive=True)) - before
        ask = {
            "model": "base",
            "messages": [{"role": "user", "content": "What is the capital of France?"}],
            "max_tokens": 8,
            "temperature": 0,
        }
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{server.base_url}/chat/completions", json=ask) as response,
        ):
            answer = await response.json()
        assert "Paris" in answer["choices"][0]["message"]["content"]
        assert (await server.metrics())["prefix_cache_queries"] > 0
        with pytest.raises(ServerError, match="refused"):
            await server.load_adapter("none", tmp_path / "nothing")
    assert len(family) >= 3 and all(gone(process.pid) for process in family)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("(Worker pid=18) INFO 11-23 23:25:12 [loader.py:501] Loading took 1.59 s", "Loading took 1.59 s"),
        ("no head at all", "no head at all"),
        ("(APIServer pid=1) " + "x" * 200, "x" * 87 + "..."),
    ],
)
def test_a_log_line_is_shown_without_its_head(line: str, said: str) -> None:
    """What a starting server says last fits a line of ours."""
    assert server_log.message(line) == said
