"""Results of finished stages in the store, for flows whose next stage is made from them."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator

from synth.engine.runner import Result
from synth.errors import RunError
from synth.scale.store import Store

__all__ = ["publish", "published"]

PART = 2000
"""Results of one file."""


def publish(store: Store, stage: str, payloads: Iterable[bytes]) -> None:
    """Put the results of a stage (`ROUND/NAME`) there in their order; nothing if they are there."""
    folder = _folder(stage)
    if store.read(f"{folder}/end") is not None:
        return
    lines: list[bytes] = []
    count = 0
    for payload in payloads:
        lines.append(payload)
        if len(lines) == PART:
            store.write(f"{folder}/{count:08d}", _packed(lines))
            count, lines = count + len(lines), []
    if lines:
        store.write(f"{folder}/{count:08d}", _packed(lines))
    store.write(f"{folder}/end", str(count + len(lines)).encode())


def published(store: Store, stage: str) -> Iterator[Result]:
    """The results of a stage, in seed order. Raises `RunError` if some are missing."""
    folder = _folder(stage)
    count = 0
    for name in store.names(folder):
        raw = store.read(f"{folder}/{name}") if name != "end" else None
        for line in gzip.decompress(raw).splitlines() if raw else ():
            count += 1
            yield Result.load(line)
    if str(count).encode() != store.read(f"{folder}/end"):
        raise RunError(
            f"the results of {stage} are not whole in {store.url}", "run the same command: they are put there"
        )


def _folder(stage: str) -> str:
    return "results/" + stage.replace("/", "-", 1)


def _packed(lines: list[bytes]) -> bytes:
    return gzip.compress(b"\n".join(lines), compresslevel=1, mtime=0)
