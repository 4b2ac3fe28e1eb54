"""How fast `synth view` is on a large run: the index built, then searches and pages over real HTTP.

python -m benchmarks.view 100000     samples of some 130 words, a fifth as many rejections

The words' frequencies fall as 1/rank, so that some stand in nearly every record and most in few.
A search is a request for the list's part of the page, as the browser sends it on each key.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import numpy as np
import orjson

from benchmarks.table import Row, show
from synth.engine.tuning import run_loop
from synth.records import Call, Lineage, Rejection, Sample, Sampling
from synth.view import Index, View, serving

__all__ = ["rows"]

SKILLS = [f"skill_{n}" for n in range(20)]
WORDS = [f"{a}{b}{c}" for a in ("ba", "ce", "di", "fo", "gu", "ka", "le", "mi", "no", "pu", "ra", "se")
         for b in ("ran", "tel", "vin", "mon", "sur", "lat", "den", "cor", "bis", "pal", "") for c in
         ("do", "ti", "ne", "ma", "lo", "ve", "ry", "ka", "s", "")]  # fmt: skip
random.Random(0).shuffle(WORDS)
FALLING = 1 / np.arange(1, len(WORDS) + 1)
SHARES = FALLING / FALLING.sum()
SEARCHES = 60


async def rows(samples: int = 10_000) -> list[Row]:
    """Time to build the index, and what a search, a filter, a page and a record take over HTTP."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        made = _make(run, samples)
        index = Index(run)
        began, before = time.perf_counter(), time.process_time()
        while index.refresh():
            pass
        built, worked = time.perf_counter() - began, time.process_time() - before
        size = sum(file.stat().st_size for file in run.glob("view.db*"))
        began = time.perf_counter()
        index.refresh()
        again = time.perf_counter() - began
        async with serving(View(index)) as address:
            asked = await _ask(address, made, random.Random(1))
    data = sum(line for _, line in made)
    return [
        Row(
            f"index of {samples:,} samples ({data / 1e6:.0f} MB) and {samples // 5:,} rejections",
            f"{built:.1f} s ({worked:.1f} s of CPU), {size / 1e6:.0f} MB",
        ),
        Row("a look whether anything is new", f"{1000 * again:.1f} ms"),
        *(_row(what, times) for what, times in asked.items()),
    ]


def _row(what: str, times: list[float]) -> Row:
    times.sort()
    middle, high = (1000 * times[int(share * (len(times) - 1))] for share in (0.5, 0.95))
    return Row(f"{what}, median and p95", f"{middle:.0f} ms, {high:.0f} ms", "< 100 ms", high < 100)


async def _ask(address: str, made: list[tuple[str, int]], rng: random.Random) -> dict[str, list[float]]:
    def word() -> str:
        return rng.choices(WORDS, SHARES)[0]

    kinds = {
        "one word": lambda: {"q": word()},
        "two words, the second begun": lambda: {"q": f"{word()} {word()[:3]}"},
        "two letters": lambda: {"q": word()[:2]},
        "a word and two filters": lambda: {"q": word(), "skill": rng.choice(SKILLS), "state": "kept"},
        "filters alone": lambda: {"reason": "unparsed", "skill": rng.choice(SKILLS)},
        "a page far down": lambda: {"after": str(rng.randrange(1, len(made)))},
    }
    times: dict[str, list[float]] = {}
    async with aiohttp.ClientSession() as client:
        for kind, query in kinds.items():
            paths = [f"/records?{urlencode({**query(), 'part': 'found'})}" for _ in range(SEARCHES)]
            times[kind] = [await _timed(client, address + path) for path in paths]
        paths = [f"/record/{rng.choice(made)[0]}" for _ in range(20)]
        times["a record with its ancestors"] = [await _timed(client, address + path) for path in paths]
    return times


async def _timed(client: aiohttp.ClientSession, address: str) -> float:
    began = time.perf_counter()
    async with client.get(address) as response:
        await response.read()
        assert response.status == 200, address
    return time.perf_counter() - began


def _make(run: Path, samples: int) -> list[tuple[str, int]]:
    """A run folder of one round; the names of its samples with their sizes in bytes."""
    data = run / "rounds" / "1" / "data"
    data.mkdir(parents=True)
    (run / "flow.yaml").write_text("flow: bench\n")
    rng, made = random.Random(0), []
    with (data / "samples.jsonl").open("wb") as file:
        for number, (prompt, answer) in enumerate(zip(_texts(samples, 50), _texts(samples, 80), strict=True)):
            sample = _sample(number, prompt, answer, rng)
            line = orjson.dumps(sample.model_dump(mode="json"), option=orjson.OPT_APPEND_NEWLINE)
            made.append((sample.id, file.write(line)))
    with (data / "rejected.jsonl").open("wb") as file:
        for number, text in enumerate(_texts(samples // 5, 80)):
            rejection = Rejection(
                seed_id=f"r{number}", round=1, stage="make", node="solve", raw=text,
                reason=rng.choice(("unparsed", "disagreed", "copied")), data={"skill": rng.choice(SKILLS)},
            )  # fmt: skip
            file.write(orjson.dumps(rejection.model_dump(mode="json"), option=orjson.OPT_APPEND_NEWLINE))
    return made


def _sample(number: int, prompt: str, answer: str, rng: random.Random) -> Sample:
    calls = [
        Call(key=f"{rng.getrandbits(128):032x}", agent=agent, prompt_hash="4a20a97e1c96", model="teacher",
             weights="w", sampling=Sampling(temperature=0.7))
        for agent in ("propose", "solve", "solve")
    ]  # fmt: skip
    return Sample.sft(
        [{"role": "user", "content": f"{number} {prompt}"}], answer, seed_id=f"s{number}", flow="bench",
        arm="fixed", round=1, skills=(rng.choice(SKILLS),),
        lineage=Lineage(calls=tuple(calls), parents=(f"{number:016x}",)),
    )  # fmt: skip


def _texts(number: int, length: int) -> Iterator[str]:
    drawn = np.random.default_rng(length).choice(len(WORDS), size=(number, length), p=SHARES)
    return (" ".join(WORDS[word] for word in row) for row in drawn.tolist())


def main(arguments: list[str]) -> int:
    """Measure and print the table."""
    return 0 if show(run_loop(rows(int(arguments[0]) if arguments else 100_000))) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
