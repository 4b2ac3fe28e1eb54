"""The vLLM servers of a run: one for each distinct local model, or several alike."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from synth.config import Lora, ModelSpec
from synth.gpu.parts import Placed, Sharing
from synth.teachers.server_log import message
from synth.teachers.vllm import VllmServer

__all__ = ["Fleet", "shared"]


def shared(
    specs: Mapping[str, ModelSpec], folders: Mapping[str, Path], learners: Mapping[str, Lora | None]
) -> dict[Path, list[str]]:
    """The servers, each as the roles it plays: those of the same weights, unless a learner's are replaced."""
    found: dict[Path, list[str]] = {}
    for role in specs:
        if role in folders:
            found.setdefault(_key(role, specs, folders, learners), []).append(role)
    return found


def _key(
    role: str,
    specs: Mapping[str, ModelSpec],
    folders: Mapping[str, Path],
    learners: Mapping[str, Lora | None],
) -> Path:
    folder, api = folders[role], specs[role].api
    if api != "chat":
        return folder / api
    return folder / role if role in learners and learners[role] is None else folder


class Fleet:
    """Servers for roles with local weights; arguments as for `Team`."""

    def __init__(
        self,
        specs: Mapping[str, ModelSpec],
        folders: Mapping[str, Path],
        learners: Mapping[str, Lora | None],
        logs: Path,
        say: Callable[[str], None],
        sharing: Sharing | None = None,
    ) -> None:
        self._specs, self._folders, self._learners = specs, folders, learners
        self._logs, self._say = logs, say
        self._sharing = sharing
        self._servers: dict[Path, list[VllmServer]] = {}
        self._resting = False

    def of(self, role: str) -> Sequence[VllmServer]:
        """The servers that answer for a role; `KeyError` before they were started."""
        return self._servers[self._key(role)]

    async def start(self, role: str) -> Sequence[VllmServer]:
        """The servers of a role, started unless another role with these weights has them already."""
        key, spec = self._key(role), self._specs[role]
        if key not in self._servers:
            self._servers[key] = servers = [
                self._server(role, f"server-{len(self._servers)}", replica)
                for replica in range(spec.server.replicas)
            ]
            many = f"{len(servers)} servers" if len(servers) > 1 else "a server"
            self._say(f"starting {many} for {spec.title}")
            await asyncio.gather(*(server.start(on_wait=self._waiting()) for server in servers))
        return self._servers[key]

    async def rest(self) -> None:
        """Leave the GPUs to a training, as the plan for them says: asleep, or stopped."""
        mode = self._sharing.mode if self._sharing else "side-by-side"
        if mode == "side-by-side" or self._resting:
            return
        self._resting = True
        began = time.monotonic()
        await asyncio.gather(*(one.sleep() if mode == "sleep" else one.stop() for one in self._all()))
        how = "sleep" if mode == "sleep" else "are stopped"
        self._say(f"the servers {how} while something trains ({time.monotonic() - began:.1f} s)")

    async def wake(self) -> None:
        """Take the GPUs again: servers that sleep wake up, those that were stopped start."""
        if not self._resting:
            return
        self._resting = False
        began = time.monotonic()
        for servers in self._servers.values():  # one after another: each measures what is free as it starts
            await asyncio.gather(
                *(one.wake() if one.alive else one.start(self._waiting()) for one in servers)
            )
        self._say(f"the servers are back ({time.monotonic() - began:.1f} s)")

    def _all(self) -> list[VllmServer]:
        return [server for servers in self._servers.values() for server in servers]

    def check(self) -> None:
        """Raises `ServerError` with its log's end if a server has died."""
        for server in self._all():
            server.check()

    async def stop(self) -> None:
        """Stop all servers."""
        await asyncio.gather(*(server.stop() for server in self._all()))

    def _server(self, role: str, log: str, replica: int) -> VllmServer:
        spec, key = self._specs[role], self._key(role)
        ranks = [
            lora.r
            for other, lora in self._learners.items()
            if lora and other in self._folders and self._key(other) == key
        ]
        chat, options, placed = spec.api == "chat", spec.server, self._placed(key, replica)
        if not chat:
            options = options.model_copy(update={"args": ("--runner", "pooling", *options.args)})
        if placed is not None:
            options = options.model_copy(update={"gpu_memory_utilization": placed.share})
        return VllmServer(
            self._folders[role],
            "base",
            options,
            self._logs / (f"{log}-{replica}.log" if replica else f"{log}.log"),
            lora=bool(ranks) and chat,
            max_lora_rank=max(ranks, default=16),
            dev=chat and self._replaced(role),
            sleeps=self._sharing is not None and self._sharing.mode == "sleep",
            replica=replica,
            gpus=placed.gpus if placed else (),
        )

    def _placed(self, key: Path, replica: int) -> Placed | None:
        """A server's GPUs and its share of them."""
        if self._sharing is None:
            return None
        first = next(role for role in self._specs if role in self._folders and self._key(role) == key)
        return self._sharing.servers[first][replica]

    def _waiting(self) -> Callable[[float, str], None]:
        """Says every ten seconds that a server is still starting, and what it printed last."""
        said = 0.0

        def on_wait(seconds: float, line: str) -> None:
            nonlocal said
            if seconds - said >= 10:
                said = seconds
                self._say(": ".join([f"server starting, {seconds:.0f} s", *filter(None, [message(line)])]))

        return on_wait

    def _key(self, role: str) -> Path:
        return _key(role, self._specs, self._folders, self._learners)

    def _replaced(self, role: str) -> bool:
        """Whether a role's weights are replaced as it learns, instead of adapters put beside them."""
        return role in self._learners and self._learners[role] is None
