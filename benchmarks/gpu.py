"""All that has to be measured where there is a GPU, in one command: `python -m benchmarks.gpu`.

Serving beside vLLM's own benchmark, seconds to make room and to swap weights, training beside TRL; meant to
take less than ten minutes on one GPU with a model of one or two billion parameters. On a CPU the same with
the smallest model, without what a CPU cannot do (sleep).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable
from pathlib import Path

from benchmarks.gpu_training import measured_training, rows_of
from benchmarks.serving import measured_serving
from benchmarks.table import Row, show
from synth.config import Lora, ServerOptions, Train
from synth.engine.tuning import run_loop
from synth.gpu import visible_gpus
from synth.students.job import TrainJob
from synth.students.launch import train
from synth.teachers.models import resolve
from synth.teachers.vllm import VllmServer
from synth.teachers.vllm_args import build_of, server_python

__all__ = ["main"]

PARTS = ("serving", "swaps", "training")


async def _swaps(model: Path, logs: Path, gpu: bool) -> list[Row]:
    """Seconds until a server answers with other weights, and to make room and take it back."""
    adapter = await _adapter(model, logs)
    rows = []
    options = ServerOptions(max_model_len=2048)
    began = time.perf_counter()
    async with VllmServer(model, "base", options, logs / "lora.log", lora=True, sleeps=gpu) as server:
        rows.append(_row("starting a server", time.perf_counter() - began))
        rows.append(_row("loading an adapter into it", await _timed(server.load_adapter("new", adapter))))
        if gpu:
            rows.append(_row("sleep, its weights kept in RAM (level 1)", await _timed(server.sleep())))
            rows.append(_row("waking up", await _timed(server.wake())))
        began = time.perf_counter()
    rows.append(_row("stopping it", time.perf_counter() - began))
    async with VllmServer(model, "base", options, logs / "whole.log", dev=True, sleeps=gpu) as server:
        rows.append(_row("replacing all weights from disk", await _timed(server.reload_weights(model))))
        if gpu:
            rows.append(_row("sleep, its weights dropped (level 2)", await _timed(server.sleep())))
            rows.append(_row("waking up with other weights", await _timed(server.reload_weights(model))))
    return rows


async def _adapter(model: Path, place: Path) -> Path:
    """An adapter that was trained for one step."""
    (place / "one.jsonl").write_text(json.dumps(next(iter(rows_of(1)))) + "\n")
    settings = Train(lora=Lora(r=16), batch_size=1)
    job = TrainJob(
        model=model, data=place / "one.jsonl", output=place / "adapter", work=place / "work", train=settings
    )
    return (await train(job)).output


async def _timed(work: Awaitable[None]) -> float:
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


def _row(what: str, seconds: float) -> Row:
    return Row(what, f"{seconds:.2f} s")


async def _served(model: Path, logs: Path, calls: int, in_flight: int, tokens: int) -> list[Row]:
    options = ServerOptions(max_model_len=2048)
    async with VllmServer(model, "base", options, logs / "served.log", dev=True) as server:
        return await measured_serving(server, model, calls, in_flight, tokens)


def main() -> int:
    """Measure and print the table."""
    gpu = build_of(server_python()) == "gpu"
    parser = argparse.ArgumentParser(prog="benchmarks.gpu", description=__doc__)
    parser.add_argument("--model", default="smollm2-1.7b" if gpu else "smollm2-135m")
    parser.add_argument("--calls", type=int, default=2048 if gpu else 48)
    parser.add_argument("--in-flight", type=int, default=256 if gpu else 8)
    parser.add_argument("--tokens", type=int, default=256 if gpu else 32, help="of an answer, at most")
    parser.add_argument("--rows", type=int, default=2048 if gpu else 32, help="trained on")
    parser.add_argument("parts", nargs="*", choices=PARTS, default=[], help="all when left out")
    asked = parser.parse_args()
    os.environ.setdefault("TQDM_DISABLE", "1")
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    os.environ["CUDA_VISIBLE_DEVICES"] = first  # one GPU, or nobody knows what was measured
    model, parts = resolve(asked.model), asked.parts or PARTS
    machine = ", ".join(one.name for one in visible_gpus()) or f"{os.cpu_count()} CPU cores"
    rows = [Row("on", f"{asked.model}, {machine}")]
    with tempfile.TemporaryDirectory() as folder:
        logs = Path(folder)
        if "serving" in parts:
            rows += run_loop(_served(model, logs, asked.calls, asked.in_flight, asked.tokens))
        if "swaps" in parts:
            rows += run_loop(_swaps(model, logs, gpu))
        if "training" in parts:
            rows += measured_training(model, asked.rows, batch=16 if gpu else 4)
    return 0 if show(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
