"""What the order of a prompt is worth: a real vLLM's prefix cache with long shared instructions.

Before: what varies comes first, and nothing can be reused. After: what is constant comes first,
as agents' prompts are written (system message and instructions, then the record).
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.table import Row, show
from synth.chat import Request
from synth.config import ServerOptions
from synth.engine.tuning import run_loop
from synth.records import Sampling
from synth.teachers.http import HttpEndpoint
from synth.teachers.models import resolve
from synth.teachers.vllm import VllmServer

__all__ = ["rows"]

RULE = "Rule {}: read the question word by word, name what is asked, and answer with one short sentence. "
INSTRUCTIONS = "".join(RULE.format(number) for number in range(1, 21))
"""Some 400 tokens. vLLM shares whole blocks: 16 tokens on a GPU, 128 on a CPU."""


async def rows(calls: int = 64, model: str = "smollm2-135m") -> list[Row]:
    """Hit rate and calls a second for both orders, against one server started for it."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "server.log"
        async with VllmServer(resolve(model), "base", ServerOptions(max_model_len=1024), log) as server:
            before = await _measure(server, [f"Question {n}.\n{INSTRUCTIONS}" for n in range(calls)])
            after = await _measure(server, [f"{INSTRUCTIONS}\nQuestion {n}." for n in range(calls)])
    return [
        Row("vLLM prefix cache hits, varying part first", f"{before[0]:.0%}, {before[1]:.1f} calls/s"),
        Row(
            "the same, constant part first, as prompts are written",
            f"{after[0]:.0%}, {after[1]:.1f} calls/s",
            "> 50%",
            after[0] > 0.5,
        ),
    ]


async def _measure(server: VllmServer, prompts: list[str]) -> tuple[float, float]:
    """Share of prompt tokens served from the cache, and calls a second."""
    endpoint = HttpEndpoint(server.base_url, concurrency=8)
    figures, start = await server.metrics(), time.perf_counter()
    asked = [Request([{"role": "user", "content": text}], Sampling(max_tokens=4)) for text in prompts]
    await asyncio.gather(*(endpoint.chat(request, "base", 1, 0, str(n)) for n, request in enumerate(asked)))
    seconds, now = time.perf_counter() - start, await server.metrics()
    await endpoint.aclose()
    hits = now["prefix_cache_hits"] - figures["prefix_cache_hits"]
    return hits / (now["prefix_cache_queries"] - figures["prefix_cache_queries"]), len(prompts) / seconds


if __name__ == "__main__":
    sys.exit(0 if show(run_loop(rows())) else 1)
