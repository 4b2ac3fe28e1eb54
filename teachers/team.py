"""All models of a run: roles to endpoints, servers started and stopped, students swapped in."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from synth.config import Lora, ModelSpec
from synth.errors import EndpointError, ModelError, ServerError
from synth.gpu.parts import Sharing
from synth.journal import Journal
from synth.teachers.fleet import Fleet
from synth.teachers.http import HttpEndpoint, Retries
from synth.teachers.model import Endpoint, Model
from synth.teachers.models import weights_version
from synth.teachers.pool import Pool, once
from synth.teachers.pressure import Pressure
from synth.teachers.program import ProgramEndpoint, load_program
from synth.teachers.retry import with_retries
from synth.teachers.reward import PoolingEndpoint
from synth.teachers.roster import Roster
from synth.teachers.vllm import VllmServer
from synth.teachers.vllm_control import metrics

__all__ = ["Team"]


class Team:
    """Role -> `Model`, once `start` has run. One server for each distinct local model.

    `folders` maps locally served roles to their weights; `learners` maps those that are trained
    to their adapters' settings, None where all weights are; `say` is told what happens, in sentences;
    `sharing` is the plan for the GPUs, None where there are none.
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
        sharing: Sharing | None = None,
    ) -> None:
        self.models: dict[str, Model] = {}
        self._specs = specs
        self._journal = journal
        self._learners = learners
        self._folders = folders
        self._say = say
        self._fleet = Fleet(specs, folders, learners, logs, say, sharing)
        self._endpoints: dict[HttpEndpoint, Pressure | None] = {}
        self._pools: list[Pool] = []

    async def start(self) -> None:
        """Start what has to be started and check that every role is served; what starts in a minute comes
        after what can be asked at once whether it is there."""
        for role, spec in sorted(self._specs.items(), key=lambda one: one[1].kind == "local"):
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
        servers = self._fleet.of(role)
        if self._learners[role]:
            await asyncio.gather(*(server.load_adapter(name, weights) for server in servers))
            self.models[role].become(name, version)
        else:
            await asyncio.gather(*(server.reload_weights(weights) for server in servers))
            self.models[role].become(self.models[role].served, version)

    async def swap_back(self, role: str, weights: Path | None, version: str, served: str) -> None:
        """Have `role` answered as before by `weights` (None: the base model's).

        An adapter is still in the server; full weights have to be loaded again.
        """
        if not self._learners[role]:
            back, servers = weights or self._folders[role], self._fleet.of(role)
            await asyncio.gather(*(server.reload_weights(back) for server in servers))
        self.models[role].become(served, version)

    async def rest(self) -> None:
        """Leave the GPUs to a training. Servers come back with `wake`, or as new weights are swapped in."""
        await self._fleet.rest()

    async def wake(self) -> None:
        """Have all roles answered again."""
        await self._fleet.wake()

    async def check(self) -> None:
        """Raises `ServerError` with its log's end if a server has died."""
        self._fleet.check()

    async def aclose(self) -> None:
        """Close connections, stop servers."""
        for pool in self._pools:
            await pool.aclose()
        for endpoint in list(self._endpoints):
            await self._leave(endpoint)
        await self._fleet.stop()

    def _program(self, role: str, spec: ModelSpec) -> Model:
        reference = spec.program or ""
        endpoint = ProgramEndpoint(load_program(reference))
        return Model(role, reference, "program", reference, endpoint, self._journal)

    async def _remote(self, role: str, spec: ModelSpec) -> Model:
        name = str(spec.model)
        # Which of many servers answers is no part of a call's key: the first address names them all.
        weights = _version(spec, spec.base_urls or spec.addresses[0])
        if spec.base_urls is not None:
            roster = Roster(Path(spec.base_urls), self._say)
            pool = await self._pool(roster.addresses, spec, name, wait=True)
            return Model(role, name, weights, name, pool, self._journal)
        if len(spec.addresses) > 1:
            pool = await self._pool(lambda: spec.addresses, spec, name)
            return Model(role, name, weights, name, pool, self._journal)
        endpoint = self._endpoint(spec.addresses[0], spec, _key_of(spec))
        served = await endpoint.served()
        if name not in served:
            raise EndpointError(
                f"{spec.addresses[0]} does not serve {name!r}",
                f"it serves: {', '.join(sorted(served)[:10])}",
            )
        await self._steer(endpoint, partial(metrics, endpoint.base_url.removesuffix("/v1")))
        return Model(role, name, weights, name, endpoint, self._journal)

    async def _pool(
        self,
        addresses: Callable[[], Sequence[str]],
        spec: ModelSpec,
        served: str,
        *,
        wait: bool = False,
        check: Callable[[str], None] = lambda address: None,
    ) -> Pool:
        """Many servers for one role, each steered by its own queue."""

        async def join(address: str) -> HttpEndpoint:
            endpoint = self._endpoint(address, spec, _key_of(spec), retries=once)
            await self._steer(endpoint, partial(metrics, endpoint.base_url.removesuffix("/v1")))
            return endpoint

        pool = Pool(addresses, join, self._leave, say=self._say, check=check)
        self._pools.append(pool)
        if wait and not addresses():
            self._say(f"waiting for the first server of {spec.base_urls}")
        await pool.start(served, wait)
        return pool

    async def _local(self, role: str, spec: ModelSpec) -> Model:
        servers = await self._fleet.start(role)
        version = _version(spec, weights_version(self._folders[role]))
        endpoint = await self._endpoint_of(servers, spec)
        return Model(role, spec.title, version, "base", endpoint, self._journal)

    async def _endpoint_of(self, servers: Sequence[VllmServer], spec: ModelSpec) -> Endpoint:
        """What asks our own server, or all replicas of it."""
        if len(servers) > 1:
            by_address = {server.base_url: server for server in servers}
            return await self._pool(
                lambda: list(by_address), spec, "base", check=lambda url: by_address[url].check()
            )
        endpoint = self._endpoint(servers[0].base_url, spec, None, servers[0].check)
        await self._steer(endpoint, servers[0].metrics)
        return endpoint

    def _endpoint(
        self,
        base_url: str,
        spec: ModelSpec,
        key: str | None,
        check: Callable[[], None] = lambda: None,
        retries: Retries = with_retries,
    ) -> HttpEndpoint:
        endpoint = (HttpEndpoint if spec.api == "chat" else partial(PoolingEndpoint, api=spec.api))(
            base_url,
            api_key=key,
            timeout=spec.timeout,
            concurrency=spec.concurrency,
            say=self._say,
            check=check,
            retries=retries,
        )
        self._endpoints[endpoint] = None
        return endpoint

    async def _leave(self, endpoint: HttpEndpoint) -> None:
        """An endpoint is done with."""
        watch = self._endpoints.pop(endpoint, None)
        if watch is not None:
            await watch.aclose()
        await endpoint.aclose()

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
        self._endpoints[endpoint] = watch


def _key_of(spec: ModelSpec) -> str | None:
    """The key that an endpoint is to be shown."""
    return os.environ.get(spec.api_key.removeprefix("env:")) if spec.api_key else None


def _version(spec: ModelSpec, weights: str) -> str:
    """The weights as keys name them: text and numbers of the same model are different answers."""
    return weights if spec.api == "chat" else f"{weights}#{spec.api}"
