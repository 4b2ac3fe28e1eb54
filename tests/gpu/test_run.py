"""A whole run on one GPU that servers and training share: stand-ins for GPU and vLLM, real training."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(__file__).parent / "bin"
FLOW = """
flow: stat
models:
  student: {{model: {model}, server: {{max_model_len: 512}}, concurrency: 8}}
  teacher: {{program: "synth.teachers.oracle:task_teacher"}}
data:
  test: &tasks {{source: tasks, families: [spell_backward, palindrome], size: 4, seed: 1}}
  profile: {{<<: *tasks, size: 4, seed: 2}}
  pool: {{<<: *tasks, size: 8, seed: 3}}
with: {{arm: fixed, mode: syn, draws: 2, examples: 32}}
train: {{lora: {lora}, batch_size: 2, epochs: 3, save_steps: 2, threads: 1, max_length: 512}}
evaluate: {{max_tokens: 16}}
curate: {{near: null}}
gate: {{promote: always}}
gpu: {{share: {share}}}
"""
PATIENCE = 900.0

pytestmark = pytest.mark.slow


class Machine:
    """Runs `synth run` where there is one GPU, and looks at what came of it."""

    def __init__(self, place: Path, model: Path, lora: str, share: str, free: int = 23_000) -> None:
        self.place, self.folder = place, place / "runs/flow"
        (place / "flow.yaml").write_text(FLOW.format(model=model, lora=lora, share=share))
        (place / "gpus").write_text(f"0, GPU-a, A card, 24576, {free}\n")
        self.environment = {
            **os.environ,
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "FAKE_GPUS": str(place / "gpus"),
            "FAKE_PYTHON": sys.executable,
            "SYNTH_VLLM_PYTHON": str(BIN / "vllm-python"),
        }
        self.environment.pop("CUDA_VISIBLE_DEVICES", None)

    def start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "synth.cli.main", "run", "flow.yaml", "--quiet"]
        with (self.place / "printed").open("a") as printed:
            return subprocess.Popen(
                command, cwd=self.place, env=self.environment, stdout=printed, stderr=printed, text=True
            )

    def finish(self) -> None:
        process = self.start()
        assert process.wait(PATIENCE) == 0, (self.place / "printed").read_text()[-3000:]

    @property
    def server(self) -> list[str]:
        """What the server printed."""
        log = self.folder / "server-0.log"
        return log.read_text().splitlines() if log.exists() else []

    @property
    def told(self) -> list[str]:
        """What the server was told besides chats, over all its starts; a start stands as `started`."""
        words = [line.split() for line in self.server if line.startswith(("told ", "started "))]
        return [word[1] if word[0] == "told" else "started" for word in words]

    def pids(self) -> list[int]:
        """The processes of the server's last start."""
        return [int(pid) for line in self.server if line.startswith("pids ") for pid in line.split()[1:]][-3:]

    def steps(self) -> int:
        log = self.folder / "rounds/1/train/log.jsonl"
        return len(log.read_text().splitlines()) if log.exists() else 0

    def decided(self) -> str:
        return str(json.loads((self.folder / "rounds/1/gate.json").read_text())["decision"])

    def repeated(self) -> int:
        command = [sys.executable, "-m", "synth.cli.main", "audit", str(self.folder), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return int(json.loads(done.stdout)["repeated"])


def until(what: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert process.poll() is None, "the run ended before the moment that was waited for"
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with its initial weights."""
    place = tmp_path_factory.mktemp("model") / "tiny"
    code = "import sys; from pathlib import Path; from synth.students.tiny import save_untrained; "
    subprocess.run(
        [sys.executable, "-c", f"{code} save_untrained(Path(sys.argv[1]), seed=0)", place], check=True
    )
    return place


@pytest.mark.parametrize(
    ("lora", "share", "around"),
    [
        ("{r: 4}", "sleep", ["/sleep?level=1&mode=wait", "/wake_up", "/v1/load_lora_adapter"]),
        (
            "null",
            "sleep",
            [
                *("/sleep?level=2&mode=wait", "/wake_up?tags=weights", "/collective_rpc"),
                *("/wake_up?tags=kv_cache", "/update_weight_version"),
            ],
        ),
        ("{r: 4}", "turns", ["started", "/v1/load_lora_adapter"]),
    ],
)
def test_servers_make_room_and_come_back_with_the_student(
    tmp_path: Path, tiny: Path, lora: str, share: str, around: list[str]
) -> None:
    """Exam, training, exam: in between the server does what the plan says, and the second exam is answered by
    the new weights. A server that slept on, or woke without weights, would answer the exam with errors."""
    machine = Machine(tmp_path, tiny, lora, share)
    machine.finish()
    assert machine.decided() == "promote"
    assert machine.told[1 : 1 + len(around)] == around
    assert ("--enable-sleep-mode" in "\n".join(machine.server)) is (share == "sleep")
    assert "gpus 0 dev" in "\n".join(machine.server)
    assert all(not psutil.pid_exists(pid) for pid in machine.pids())


@pytest.mark.parametrize("share", ["sleep", "turns"])
def test_a_run_killed_while_it_trains_goes_on(tmp_path: Path, tiny: Path, share: str) -> None:
    """kill -9 in the middle of a training, the server asleep or stopped: the same command goes on from the
    checkpoint, has the server answer what is left, and asks nothing twice."""
    machine = Machine(tmp_path, tiny, "{r: 4}", share)
    first = machine.start()
    until(lambda: machine.steps() >= 5, first)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    if share == "sleep":
        assert machine.told == ["started", "/sleep?level=1&mode=wait"]
    else:
        assert machine.told == ["started"] and not any(psutil.pid_exists(pid) for pid in machine.pids())
    machine.finish()  # at once, without waiting for the supervisor to end the first server
    assert machine.decided() == "promote" and machine.repeated() == 0
    again = [*(["/sleep?level=1&mode=wait", "/wake_up"] if share == "sleep" else ["started"])]
    assert machine.told[-len(again) - 2 :] == ["started", *again, "/v1/load_lora_adapter"]
    steps = [json.loads(line)["step"] for line in (machine.folder / "rounds/1/train/log.jsonl").open()]
    assert steps == list(range(1, len(steps) + 1))


def test_what_does_not_fit_is_said_before_a_server_starts(tmp_path: Path, tiny: Path) -> None:
    """One error with the needs, the GPU and a cure; the server's log was never begun."""
    machine = Machine(tmp_path, tiny, "null", "auto", free=800)
    process = machine.start()
    assert process.wait(PATIENCE) == 5
    said = (tmp_path / "printed").read_text()
    assert "the models need" in said and "GPU 0 (A card, 0.8 of 24.0 GiB free)" in said
    assert not machine.server
