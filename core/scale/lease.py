"""Leases: which worker works on a shard, and until when it may.

A lease is a file `leases/SHARD.GENERATION` that its owner alone rewrites. Whoever finds it out of
date creates the next generation, and creating is what only one of many can do: no lock is
needed, and no clock but that deadlines of different machines agree to within `SKEW` seconds.
"""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

import orjson
import psutil

from synth.errors import SynthError
from synth.scale.store import Store

__all__ = ["SKEW", "Lease", "LeaseLost", "Owner", "any_held", "holder", "take"]

SKEW = 2.0
"""Seconds by which the clocks of two machines may differ."""


class LeaseLost(SynthError):
    """The lease has run out: nothing may be sent any more for this shard, another worker has it."""


@dataclass(frozen=True)
class Owner:
    """A worker's process, so that whoever shares its machine can tell at once that it has died."""

    name: str
    machine: str
    pid: int
    started: float

    @classmethod
    def me(cls, name: str) -> Owner:
        """This process."""
        return cls(name, _machine(), os.getpid(), psutil.Process().create_time())

    @property
    def dead(self) -> bool:
        """Whether it is known to have ended."""
        if self.machine != _machine():
            return False
        try:
            return abs(psutil.Process(self.pid).create_time() - self.started) > 1.0 or _ended(self.pid)
        except psutil.NoSuchProcess:
            return True


@dataclass
class Lease:
    """The right to work on `shard` until `deadline` (unix seconds), of the `generation`-th owner."""

    shard: str
    generation: int
    owner: Owner
    seconds: float
    store: Store = field(repr=False)
    folder: str = ""
    deadline: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.folder}/leases/{self.shard}.{self.generation:04d}"

    @property
    def held(self) -> bool:
        """Whether work may go on: sending stops a little before others may take over."""
        return time.time() < self.deadline - SKEW

    def renew(self) -> None:
        """Push the deadline on. Raises `LeaseLost` where that comes too late."""
        if not self.held:
            raise LeaseLost(f"the lease on shard {self.shard} ran out before it was renewed")
        self._write(time.time() + self.seconds)

    def release(self) -> None:
        """Give the shard back at once."""
        self._write(0.0)

    def _write(self, deadline: float) -> None:
        self.store.write(self.name, _dump(self.owner, deadline))
        self.deadline = deadline


def take(
    store: Store, folder: str, shard: str, owner: Owner, seconds: float, known: list[str]
) -> Lease | None:
    """A lease on a shard, unless another worker holds it or is faster. `known` are the lease files there."""
    generation = 0
    mine = [name for name in known if name.rpartition(".")[0] == shard]
    if mine:
        last = max(mine)
        owner_then, deadline = holder(store, f"{folder}/leases/{last}")
        if time.time() <= deadline + SKEW and not owner_then.dead:
            return None
        generation = int(last.rpartition(".")[2]) + 1
    lease = Lease(shard, generation, owner, seconds, store, folder, time.time() + seconds)
    return lease if store.create(lease.name, _dump(owner, lease.deadline)) else None


def holder(store: Store, name: str) -> tuple[Owner, float]:
    """Who holds or held a lease, and until when."""
    raw = store.read(name)
    if raw is None:
        raise SynthError(f"the lease {name} in {store.url} is gone", "leave the store's files alone")
    said = orjson.loads(raw)
    return Owner(**said["owner"]), float(said["deadline"])


def any_held(store: Store, folder: str, names: list[str]) -> bool:
    """Whether a worker still holds a shard of the stage in `folder`, whose lease files are `names`."""
    latest = {name.rpartition(".")[0]: name for name in sorted(names)}
    for name in latest.values():
        owner, deadline = holder(store, f"{folder}/leases/{name}")
        if deadline + SKEW >= time.time() and not owner.dead:
            return True
    return False


def _dump(owner: Owner, deadline: float) -> bytes:
    return orjson.dumps({"owner": asdict(owner), "deadline": deadline})


def _ended(pid: int) -> bool:
    return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@cache
def _machine() -> str:
    """This machine since it was started, and this space of process numbers."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return f"{os.uname().nodename}/{psutil.boot_time():.0f}"
