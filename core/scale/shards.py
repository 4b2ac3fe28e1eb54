"""Shards: a stage's seeds cut into pieces that are named by what is in them."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import orjson

from synth.engine.ids import Ids
from synth.records import Seed, content_id
from synth.scale.store import Store

__all__ = ["Piece", "Shard", "StagePlace", "pieces"]

MOST = 1000
"""Seeds of a shard, where there are many."""
FEWEST = 16
"""Seeds of a shard, where there are few."""


@dataclass(frozen=True)
class Piece:
    """A run of seeds in stage order, with their positions; `name` depends on their ids alone."""

    index: int
    seeds: tuple[tuple[int, Seed], ...]

    @property
    def name(self) -> str:
        return f"{self.index:06d}-{content_id([seed.id for _, seed in self.seeds])}"


@dataclass(frozen=True)
class Shard:
    """What a worker is handed: seeds of a piece that have no result yet.

    `attempt` counts from 0: a piece whose failed records are given another chance is handed out anew.
    """

    name: str
    attempt: int
    positions: tuple[int, ...]
    seeds: tuple[Seed, ...]

    @property
    def title(self) -> str:
        """The name of this attempt: of its file, its leases and its mark when done."""
        return f"{self.name}.{self.attempt}"

    def dump(self) -> bytes:
        rows = [[at, seed.model_dump()] for at, seed in zip(self.positions, self.seeds, strict=True)]
        return gzip.compress(orjson.dumps(rows), compresslevel=1, mtime=0)

    @classmethod
    def load(cls, title: str, raw: bytes) -> Shard:
        name, _, attempt = title.rpartition(".")
        rows = orjson.loads(gzip.decompress(raw))
        return cls(
            name,
            int(attempt),
            tuple(at for at, _ in rows),
            tuple(Seed.model_validate(seed) for _, seed in rows),
        )


def pieces(seeds: Iterable[Seed], size: int) -> Iterator[Piece]:
    """Seeds in pieces of `size`, numbered as one process numbers them; each seed is cut once."""
    seen = Ids()
    stream = ((at, seed) for at, seed in enumerate(seeds) if seen.add(seed.id))
    index = 0
    while rows := tuple(islice(stream, size)):
        yield Piece(index, rows)
        index += 1


@dataclass(frozen=True)
class StagePlace:
    """A stage's folder in the store: `shards/`, `leases/`, `journals/` and `done/`."""

    store: Store
    folder: str

    @classmethod
    def of(cls, store: Store, stage: str) -> StagePlace:
        """The place of `ROUND/NAME`."""
        return cls(store, "stages/" + stage.replace("/", "-", 1))

    def put(self, shard: Shard) -> None:
        self.store.write(f"{self.folder}/shards/{shard.title}", shard.dump())

    def shard(self, title: str) -> Shard:
        """Raises `LookupError` where there is none."""
        raw = self.store.read(f"{self.folder}/shards/{title}")
        if raw is None:
            raise LookupError(title)
        return Shard.load(title, raw)

    def shards(self) -> list[str]:
        return self.store.names(f"{self.folder}/shards")

    def leases(self) -> list[str]:
        return self.store.names(f"{self.folder}/leases")

    @classmethod
    def all(cls, store: Store) -> dict[str, StagePlace]:
        """Every stage (`ROUND/NAME`) that has left something in the store."""
        return {name.replace("-", "/", 1): cls(store, f"stages/{name}") for name in store.names("stages")}

    def finished(self) -> list[str]:
        return self.store.names(f"{self.folder}/done")

    def journal(self, shard: str) -> str:
        """Folder of a shard's segments, where its journal is no file that all can open."""
        return f"{self.folder}/journals/{shard}"

    def segments(self, shard: str, known: frozenset[str] = frozenset()) -> Iterator[tuple[str, bytes]]:
        """Names and contents of a shard's segments in the order they were written, but those `known`."""
        folder = self.journal(shard)
        for name in self.store.names(folder):
            if name not in known and (segment := self.store.read(f"{folder}/{name}")) is not None:
                yield name, segment

    def finish(self, shard: Shard, receipt: dict[str, int]) -> None:
        """Mark a shard as done; done twice, it is done once."""
        self.store.write(f"{self.folder}/done/{shard.title}", orjson.dumps(receipt))
