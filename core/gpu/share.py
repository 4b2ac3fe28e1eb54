"""How servers and training share GPUs: side by side, by sleep, or by turns.

Servers are all awake while data are made and exams held, so they must fit beside each other. A training
comes in between: it has the memory the servers leave, or they sleep (weights in the machine's RAM, or
dropped where they change anyway), or they stop and start again. What is reckoned is weights, caches and
optimiser, which is exact, and working memory, which is a rule of thumb.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from synth.errors import RunError
from synth.gpu.devices import Gpu
from synth.gpu.parts import Mode, Placed, Serving, Sharing, Training
from synth.gpu.sizes import GIB

__all__ = ["ASLEEP", "DoesNotFit", "share"]

SPARE = 0.06
"""Share of a GPU that nobody is given: what was not reckoned with, and pieces too small to use."""
ASLEEP = 1.5 * GIB
"""What a sleeping server keeps of each GPU: its context, its graphs, its communication."""
AMPLE = 32
"""Longest texts whose cache a server should have room for, before a training may live beside it."""
SURE = 0.5
"""Share of a training's activations that is held against it: a rule of thumb must not refuse what fits."""
MOST = 0.92
"""Most of a GPU that one server is given, vLLM's own default."""


class DoesNotFit(RunError):
    """Models and training do not fit on these GPUs."""


def share(
    servers: Sequence[Serving],
    trainings: Sequence[Training],
    gpus: Sequence[Gpu],
    ram: float,
    wanted: Literal["auto"] | Mode = "auto",
) -> Sharing:
    """The first of side by side (with ample caches), sleep and turns that fits, or the one `wanted`.

    `ram` are the machine's bytes for weights of sleeping servers. Raises `RunError` where none fits.
    """
    homes = _homes(servers, gpus)
    modes: Sequence[Mode] = ("side-by-side", "sleep", "turns") if wanted == "auto" else (wanted,)
    faults: list[str] = []
    for mode in modes:
        ample = AMPLE if wanted == "auto" and mode == "side-by-side" and trainings else 1
        table = _Table(servers, trainings, gpus, homes, mode)
        # Where another mode is left, a training gets all it may want; at last what it surely needs will do.
        fault = table.fault(ample, ram, SURE if mode == modes[-1] else 1.0)
        if fault is None:
            return Sharing(mode if trainings else "side-by-side", table.placed(), tuple(table.words()))
        faults.append(fault)
    raise DoesNotFit(faults[-1], _cure(faults[-1]))


def _homes(servers: Sequence[Serving], gpus: Sequence[Gpu]) -> dict[str, list[tuple[int, ...]]]:
    """First role -> the GPUs of each replica: the largest first, each where most is left."""
    left = [gpu.free - SPARE * gpu.total for gpu in gpus]
    homes: dict[str, list[tuple[int, ...]]] = {}
    for server in sorted(servers, key=lambda one: -one.least):
        needs = server.width * server.replicas
        if needs > len(gpus):
            raise DoesNotFit(
                f"models.{server.role} wants {server.replicas} servers of {server.width} GPUs each, and "
                f"{len(gpus)} can be used",
                "write fewer under server.replicas or server.tensor_parallel_size",
            )
        best = sorted(range(len(gpus)), key=lambda at: (-left[at], at))[:needs]
        for at in best:
            left[at] -= server.least
        best.sort()
        homes[server.role] = [
            tuple(best[first : first + server.width]) for first in range(0, needs, server.width)
        ]
    return homes


@dataclass(frozen=True)
class _Table:
    """The memory of every GPU, in one mode."""

    servers: Sequence[Serving]
    trainings: Sequence[Training]
    gpus: Sequence[Gpu]
    homes: Mapping[str, Sequence[tuple[int, ...]]]
    mode: Mode

    def _here(self, at: int) -> list[Serving]:
        return [one for one in self.servers if any(at in home for home in self.homes[one.role])]

    def _training(self, at: int, sure: float = 1.0) -> float:
        """What the largest training takes of a GPU."""
        total = self.gpus[at].total
        return max((one.bytes(total, sure) for one in self.trainings if at < one.processes), default=0.0)

    def _room(self, at: int) -> float:
        """For servers."""
        gpu = self.gpus[at]
        beside = self._training(at) if self.mode == "side-by-side" else 0.0
        return gpu.free - SPARE * gpu.total - beside

    def _fixed(self, at: int) -> float:
        """What the flow file has given away."""
        return sum((one.wanted or 0.0) * self.gpus[at].total for one in self._here(at))

    def _shares(self, at: int) -> dict[str, float]:
        """First role -> bytes: the least of each, and of what is left equally many tokens of cache."""
        here = [one for one in self._here(at) if one.wanted is None]
        left = self._room(at) - self._fixed(at) - sum(one.least for one in here)
        tokens = left / max(1.0, sum(one.token for one in here))
        most = MOST * self.gpus[at].total
        return {one.role: min(most, one.least + max(0.0, tokens) * one.token) for one in here}

    def fault(self, ample: int, ram: float, sure: float) -> str | None:
        """Why this does not go; None where it does."""
        for at in range(len(self.gpus)):
            here = self._here(at)
            needs = self._fixed(at) + sum(
                one.least + (ample - 1) * one.token * one.longest for one in here if one.wanted is None
            )
            if here and needs > self._room(at):
                return self._crowded(at)
            if fault := self._starved(at) or self._untrained(at, sure):
                return fault
        kept = sum(one.weights * one.width * one.replicas for one in self.servers if not one.changes)
        if self.trainings and self.mode == "sleep" and kept > ram:
            return (
                f"sleeping servers keep {kept / GIB:.1f} GiB of weights in the machine's memory, which has "
                f"{ram / GIB:.1f} GiB free; write gpu.share: turns"
            )
        return None

    def _crowded(self, at: int) -> str:
        parts = [
            f"{one.title} ({one.role}) {one.wanted * self.gpus[at].total / GIB:.1f} GiB as its "
            "server.gpu_memory_utilization says"
            if one.wanted is not None
            else f"{one.title} ({one.role}) {one.least / GIB:.1f} GiB ({one.weights / GIB:.1f} of weights, "
            f"{one.token * one.longest / GIB:.1f} of cache for one text of {one.longest} tokens)"
            for one in self._here(at)
        ]
        if self.mode == "side-by-side" and self._training(at):
            parts.append(f"training {self._training(at) / GIB:.1f} GiB")
        return f"the models need {', '.join(parts)} of {self._named(at)}"

    def _starved(self, at: int) -> str | None:
        """A share in the flow file that is less than its server needs."""
        for one in self._here(at):
            given = (one.wanted or 0.0) * self.gpus[at].total
            if one.wanted is not None and given < one.weights + one.token * one.longest:
                return (
                    f"models.{one.role} has server.gpu_memory_utilization: {one.wanted:g}, which is "
                    f"{given / GIB:.1f} GiB, and needs about {one.least / GIB:.1f} GiB; leave it out"
                )
        return None

    def _untrained(self, at: int, sure: float) -> str | None:
        """A training that has too little."""
        gpu = self.gpus[at]
        held = {"side-by-side": 0.0, "sleep": ASLEEP * len(self._here(at)), "turns": 0.0}[self.mode]
        if self.mode == "side-by-side" or self._training(at, sure) <= gpu.free - held:
            return None
        how = "asleep" if held else "stopped"
        one = max((one for one in self.trainings if at < one.processes), key=lambda one: one.bytes(gpu.total))
        return (
            f"training the {one.role} needs about {one.bytes(gpu.total) / GIB:.1f} GiB of each GPU "
            f"({one.said}: {one.weights / GIB:.1f} for weights, gradients and optimiser, "
            f"{one.activations / GIB:.1f} for activations); with the servers {how} there are "
            f"{(gpu.free - held) / GIB:.1f} GiB of {self._named(at)}"
        )

    def _named(self, at: int) -> str:
        gpu = self.gpus[at]
        return f"GPU {gpu.index} ({gpu.name}, {gpu.free / GIB:.1f} of {gpu.total / GIB:.1f} GiB free)"

    def placed(self) -> dict[str, tuple[Placed, ...]]:
        """The servers with their GPUs and shares."""
        shares = [self._shares(at) for at in range(len(self.gpus))]
        found: dict[str, tuple[Placed, ...]] = {}
        for one in self.servers:
            replicas = []
            for home in self.homes[one.role]:
                part = one.wanted or min(shares[at][one.role] / self.gpus[at].total for at in home)
                replicas.append(Placed(tuple(self.gpus[at].index for at in home), int(part * 1000) / 1000))
            found[one.role] = tuple(replicas)
        return found

    def words(self) -> list[str]:
        """Who has how much, and what becomes of the servers while something trains."""
        placed = self.placed()
        total = self.gpus[0].total if self.gpus else 0
        lines = []
        for one in self.servers:
            where = placed[one.role]
            gpus = ", ".join("+".join(each.gpus) for each in where)
            tokens = (where[0].share * total - one.weights - one.work) / max(1.0, one.token)
            lines.append(
                f"{one.title} ({one.role}): {where[0].share:.3f} of GPU {gpus}, "
                f"{one.weights / GIB:.1f} GiB of weights, cache for about {max(0.0, tokens):,.0f} tokens"
            )
        for training in self.trainings:
            how = {
                "side-by-side": "beside the servers",
                "sleep": "while the servers sleep",
                "turns": "while the servers are stopped",
            }[self.mode]
            lines.append(
                f"training the {training.role}: up to {training.bytes(total) / GIB:.1f} GiB of each of "
                f"{training.processes} GPU{'' if training.processes == 1 else 's'}, {how}"
            )
        return lines


def _cure(fault: str) -> str:
    if fault.startswith("training"):
        return (
            "write train.lora (with bits: 4 for least), lower train.batch_size or train.max_length, or share "
            "the weights among GPUs with train.launch: fsdp; synth doctor FLOW says which profile fits"
        )
    if fault.startswith("the models need"):
        return (
            "lower server.max_model_len, take a smaller or quantised model, spread one over GPUs with "
            "server.tensor_parallel_size, or have one served elsewhere (base_url); synth doctor FLOW says "
            "which profile fits"
        )
    return ""
