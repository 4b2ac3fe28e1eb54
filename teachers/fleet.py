"""The vLLM servers of a run: one for each distinct local model, or several alike."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from synth.config import Lora, ModelSpec
from synth.teachers.server_log import message
from synth.teachers.vllm import VllmServer

__all__ = ["Fleet"]


class Fleet:
    """Servers for roles with local weights; arguments as for `Team`."""

    def __init__(
        self,
        specs: Mapping[str, ModelSpec],
        folders: Mapping[str, Path],
        learners: Mapping[str, Lora | None],
        logs: Path,
        say: Callable[[str], None],
    ) -> None:
        self._specs, self._folders, self._learners = specs, folders, learners
        self._logs, self._say = logs, say
        self._servers: dict[Path, list[VllmServer]] = {}

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

    def check(self) -> None:
        """Raises `ServerError` with its log's end if a server has died."""
        for servers in self._servers.values():
            for server in servers:
                server.check()

    async def stop(self) -> None:
        """Stop all servers."""
        await asyncio.gather(*(server.stop() for servers in self._servers.values() for server in servers))

    def _server(self, role: str, log: str, replica: int) -> VllmServer:
        spec, key = self._specs[role], self._key(role)
        ranks = [
            lora.r
            for other, lora in self._learners.items()
            if lora and other in self._folders and self._key(other) == key
        ]
        chat, options = spec.api == "chat", spec.server
        if not chat:
            options = options.model_copy(update={"args": ("--runner", "pooling", *options.args)})
        return VllmServer(
            self._folders[role],
            "base",
            options,
            self._logs / (f"{log}-{replica}.log" if replica else f"{log}.log"),
            lora=bool(ranks) and chat,
            max_lora_rank=max(ranks, default=16),
            dev=chat and self._replaced(role),
            replica=replica,
        )

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
        """Roles with the same weights share a server, unless a learner's are replaced in it."""
        folder, api = self._folders[role], self._specs[role].api
        if api != "chat":
            return folder / api
        return folder / role if self._replaced(role) else folder

    def _replaced(self, role: str) -> bool:
        """Whether a role's weights are replaced as it learns, instead of adapters put beside them."""
        return role in self._learners and self._learners[role] is None
