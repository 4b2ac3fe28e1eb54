"""Tokens a second that a flow gets out of a vLLM server, beside vLLM's own benchmark on the same prompts.

Both ask the same server for the same greedy answers, with as many calls in flight, in turn, each from an
empty prefix cache. The flow is the exam: a LangGraph graph, journal and results included.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.table import Row
from synth.config import Evaluate
from synth.engine import Context, run_graph
from synth.engine.runner import seed_rng
from synth.engine.tuning import many_connections, quiet_gc
from synth.flows.answering import exam_graph, question_seeds
from synth.journal import Journal
from synth.records import Question, Seed
from synth.teachers.http import HttpEndpoint
from synth.teachers.model import Model
from synth.teachers.vllm import VllmServer
from synth.teachers.vllm_args import server_python
from synth.teachers.vllm_control import reset_prefix_cache

__all__ = ["measured_serving", "questions"]

TEXT = "The {} of the {} was read aloud in the {}, and everyone wrote down what they had understood of it. "
WORDS = ("letter", "harbour", "garden", "council", "engine", "winter", "lesson", "bridge", "market", "island")
SHARE = 0.95
# vLLM's CPU build is another package, whose name its command line does not know.
BENCH = """
import importlib.metadata as metadata, sys
known = metadata.version
def version(name):
    try:
        return known(name)
    except metadata.PackageNotFoundError:
        return known(name + "-cpu") + "+cpu"
metadata.version = version
from vllm.entrypoints.cli.main import main
sys.argv = ["vllm", "bench", "serve", *sys.argv[1:]]
main()
"""


def questions(count: int) -> list[Question]:
    """Prompts of some 200 tokens that share no beginning, and ask for more than there is room for."""
    found = []
    for n in range(count):
        picked = [WORDS[(n * 7 + k * 3 + n // 10) % len(WORDS)] for k in range(24)]
        text = "".join(TEXT.format(*picked[k : k + 3]) for k in range(0, 24, 3))
        asked = f"Number {n}. {text}Write a long story that begins with this, and leave nothing out."
        found.append(Question.of(asked, "", kind="text"))
    return found


async def measured_serving(
    server: VllmServer, model: Path, calls: int, in_flight: int, tokens: int, times: int = 3
) -> list[Row]:
    """Tokens a second of both, `times` times in turn; the medians and their ratio."""
    asked, ours, theirs = questions(calls), [], []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        await _flow(server, asked[:in_flight], in_flight, tokens, place / "warm.db")
        for number in range(times):
            for first in ((True, False), (False, True))[number % 2]:
                await reset_prefix_cache(server.root)
                if first:
                    theirs.append(await _bench(server, model, asked, in_flight, tokens, place))
                else:
                    ours.append(await _flow(server, asked, in_flight, tokens, place / f"{number}.db"))
    rates = [median(rate for rate, _ in each) for each in (theirs, ours)]
    made = [median(count for _, count in each) for each in (theirs, ours)]
    what = f"{calls} calls, {in_flight} in flight, {tokens} tokens at most, median of {times}"
    spread = ", ".join(f"{rate:,.1f}" for rate, _ in ours)
    return [
        Row(f"vllm bench serve, tokens generated a second ({what})", f"{rates[0]:,.1f} of {made[0]:,.0f}"),
        Row("a flow on the same prompts", f"{rates[1]:,.1f} of {made[1]:,.0f} ({spread})"),
        Row(
            "the flow's share of it",
            f"{rates[1] / rates[0]:.1%}",
            f">= {SHARE:.0%}",
            rates[1] >= SHARE * rates[0],
        ),
    ]


async def _flow(
    server: VllmServer, asked: list[Question], in_flight: int, tokens: int, path: Path
) -> tuple[float, int]:
    """Tokens a second, and tokens in all."""
    journal = Journal(path)
    endpoint = HttpEndpoint(server.base_url, concurrency=in_flight, timeout=600)
    model = Model("student", "benched", "v1", server.served_name, endpoint, journal)

    def context(seed: Seed) -> Context:
        rng = seed_rng(0, "b", seed.id)
        return Context("bench", "fixed", 1, "bench", seed.id, {"student": model}, None, rng)

    graph = exam_graph(Evaluate(max_tokens=tokens))
    many_connections()
    quiet_gc()
    began = time.perf_counter()
    # No window narrower than the gate: a record that is being judged keeps no call from being sent.
    await run_graph(
        graph, question_seeds(asked), context, journal, stage="1/bench", window=in_flight + in_flight // 4
    )
    seconds = time.perf_counter() - began
    await endpoint.aclose()
    _, made = journal.tokens()
    journal.close()
    return made / seconds, made


async def _bench(
    server: VllmServer, model: Path, asked: list[Question], in_flight: int, tokens: int, place: Path
) -> tuple[float, int]:
    """The same by `vllm bench serve`."""
    data = place / "prompts.jsonl"
    data.write_text("".join(json.dumps({"prompt": one.question}) + "\n" for one in asked))
    options = {
        "backend": "openai-chat",
        "base-url": server.root,
        "endpoint": "/v1/chat/completions",
        "model": server.served_name,
        "tokenizer": model,
        "dataset-name": "custom",
        "dataset-path": data,
        "custom-output-len": tokens,
        "num-prompts": len(asked),
        "max-concurrency": in_flight,
        "temperature": 0,
        "result-dir": place,
        "result-filename": "bench.json",
    }
    written = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    switches = ["--skip-chat-template", "--disable-shuffle", "--save-result", "--disable-tqdm"]
    process = await asyncio.create_subprocess_exec(
        *(server_python(), "-c", BENCH, *written, *switches),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    if process.returncode:
        sys.exit(f"vllm bench serve failed:\n{said.decode()[-3000:]}")
    result = json.loads((place / "bench.json").read_bytes())
    return result["output_throughput"], result["total_output_tokens"]
