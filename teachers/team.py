"""All models of a run: roles to endpoints, servers started and stopped, students swapped in."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path

from synth.config import Lora, ModelSpec, Scratch
from synth.errors import EndpointError, ModelError, ServerError
from synth.journal import Journal
from synth.teachers.http import HttpEndpoint
from synth.teachers.model import Model
from synth.teachers.models import weights_version
from synth.teachers.pressure import Pressure
from synth.teachers.program import ProgramEndpoint, load_program
from synth.teachers.reward import PoolingEndpoint
from synth.teachers.vllm import VllmServer
from synth.teachers.vllm_control import metrics

__all__ = ["Team", "title"]


class Team:
    """Role -> `Model`, once `start` has run. One server for each distinct local model.

    `folders` maps locally served roles to their weights; `learners` maps those that are trained
    to their adapters' settings, None where all weights are; `say` is told what happens, in sentences.
    """

    live = True
    """Whether there are models behind the roles, to train and to serve."""

    def __init__(
        self,
        specs: Mapping[str, ModelSpec],
        journal: Journal,
        logs: Path,
        *,
        learners: Mapping[str, Lora | None],
        folders: Mapping[str, Path],
        say: Callable[[str], None],
    ) -> None:
        self.models: dict[str, Model] = {}
        self._specs = specs
        self._journal = journal
        self._logs = logs
        self._learners = learners
        self._folders = folders
        self._say = say
        self._servers: dict[Path, VllmServer] = {}
        self._endpoints: list[HttpEndpoint] = []
        self._watches: list[Pressure] = []

    async def start(self) -> None:
        """Start what has to be started and check that every role is served."""
        for role, spec in self._specs.items():
            if spec.kind == "program":
                self.models[role] = self._program(role, spec)
            elif spec.kind == "endpoint":
                self.models[role] = await self._remote(role, spec)
            else:
                self.models[role] = await self._local(role, spec)

    def folder(self, role: str) -> Path:
        """Folder of a locally served role's weights. Raises `ModelError` for another kind."""
        if role not in self._folders:
            raise ModelError(
                f"the role {role!r} is not served from local weights",
                "training needs the student's weights: give models.student a local folder, alias or hub id",
            )
        return self._folders[role]

    async def swap_in(self, role: str, weights: Path, version: str, name: str) -> None:
        """Have `role` answered by newly trained weights, from the running server.

        An adapter is loaded beside the base weights; full weights replace them.
        """
        server = self._servers[self._key(role)]
        if self._learners[role]:
            await server.load_adapter(name, weights)
            self.models[role].become(name, version)
        else:
            await server.reload_weights(weights)
            self.models[role].become(self.models[role].served, version)

    async def swap_back(self, role: str, weights: Path | None, version: str, served: str) -> None:
        """Have `role` answered as before by `weights` (None: the base model's).

        An adapter is still in the server; full weights have to be loaded again.
        """
        if not self._learners[role]:
            await self._servers[self._key(role)].reload_weights(weights or self._folders[role])
        self.models[role].become(served, version)

    async def check(self) -> None:
        """Raises `ServerError` with its log's end if a server has died."""
        for server in self._servers.values():
            server.check()

    async def aclose(self) -> None:
        """Close connections, stop servers."""
        for watch in self._watches:
            await watch.aclose()
        for endpoint in self._endpoints:
            await endpoint.aclose()
        for server in self._servers.values():
            await server.stop()

    def _program(self, role: str, spec: ModelSpec) -> Model:
        reference = spec.program or ""
        endpoint = ProgramEndpoint(load_program(reference))
        return Model(role, reference, "program", reference, endpoint, self._journal)

    async def _remote(self, role: str, spec: ModelSpec) -> Model:
        name = str(spec.model)
        key = os.environ.get(spec.api_key.removeprefix("env:")) if spec.api_key else None
        endpoint = self._endpoint(spec.base_url or "", spec, key)
        served = await endpoint.served()
        if name not in served:
            raise EndpointError(
                f"{spec.base_url} does not serve {name!r}",
                f"it serves: {', '.join(sorted(served)[:10])}",
            )
        await self._steer(endpoint, partial(metrics, endpoint.base_url.removesuffix("/v1")))
        return Model(role, name, _version(spec, spec.base_url or ""), name, endpoint, self._journal)

    async def _local(self, role: str, spec: ModelSpec) -> Model:
        key = self._key(role)
        folder = self._folders[role]
        if key not in self._servers:
            name = "base"
            log = self._logs / f"server-{len(self._servers)}.log"
            ranks = [
                lora.r
                for other, lora in self._learners.items()
                if lora and other in self._folders and self._key(other) == key
            ]
            chat, options = spec.api == "chat", spec.server
            if not chat:
                options = options.model_copy(update={"args": ("--runner", "pooling", *options.args)})
            server = VllmServer(
                folder,
                name,
                options,
                log,
                lora=bool(ranks) and chat,
                max_lora_rank=max(ranks, default=16),
                dev=chat and self._replaced(role),
            )
            self._servers[key] = server
            self._say(f"starting a server for {title(spec)}")
            await server.start(on_wait=self._waiting())
        server = self._servers[key]
        endpoint = self._endpoint(server.base_url, spec, None, server.check)
        await self._steer(endpoint, server.metrics)
        version = _version(spec, weights_version(folder))
        return Model(role, title(spec), version, "base", endpoint, self._journal)

    def _waiting(self) -> Callable[[float, str], None]:
        """Says every ten seconds that a server is still starting, and what it printed last."""
        said = 0.0

        def on_wait(seconds: float, line: str) -> None:
            nonlocal said
            if seconds - said >= 10:
                said = seconds
                self._say(f"server starting, {seconds:.0f} s: {line[-100:]}")

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

    def _endpoint(
        self, base_url: str, spec: ModelSpec, key: str | None, check: Callable[[], None] = lambda: None
    ) -> HttpEndpoint:
        endpoint = (HttpEndpoint if spec.api == "chat" else partial(PoolingEndpoint, api=spec.api))(
            base_url,
            api_key=key,
            timeout=spec.timeout,
            concurrency=spec.concurrency,
            say=self._say,
            check=check,
        )
        self._endpoints.append(endpoint)
        return endpoint

    async def _steer(
        self, endpoint: HttpEndpoint, figures: Callable[[], Awaitable[dict[str, float]]]
    ) -> None:
        """Let the server's own queue set the concurrency, where it tells of one and none is pinned."""
        if endpoint.limit.pinned:
            return
        try:
            await figures()
        except ServerError:
            return
        watch = Pressure(endpoint.limit, figures, longest=endpoint.timeout / 3)
        watch.start()
        self._watches.append(watch)


def _version(spec: ModelSpec, weights: str) -> str:
    """The weights as keys name them: text and numbers of the same model are different answers."""
    return weights if spec.api == "chat" else f"{weights}#{spec.api}"


def title(spec: ModelSpec) -> str:
    """Who plays a role, as keys and lineage name it."""
    if spec.program is not None:
        return spec.program
    return f"scratch-{spec.model.scratch}" if isinstance(spec.model, Scratch) else str(spec.model)
