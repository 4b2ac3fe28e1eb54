"""The roles as workers play them: by the same servers, under the same names in the journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import ceil
from pathlib import Path
from typing import cast

from synth.config import ModelSpec
from synth.errors import RunError
from synth.journal import Journal
from synth.scale.bulletin import Seat
from synth.scale.journal import Routed
from synth.teachers.http import HttpEndpoint
from synth.teachers.model import Model
from synth.teachers.pool import Pool
from synth.teachers.team import Team

__all__ = ["seats_of", "team_at"]


def seats_of(specs: Mapping[str, ModelSpec], models: Mapping[str, Model], workers: int) -> dict[str, Seat]:
    """What to tell workers of the roles. A pinned concurrency is divided among them.

    Raises `RunError` for a role that nobody can ask, as in a replay.
    """
    return {role: _seat(specs[role], models[role], max(1, workers)) for role in specs}


def _seat(spec: ModelSpec, model: Model, workers: int) -> Seat:
    if spec.kind == "local":
        endpoint = model.endpoint
        if isinstance(endpoint, Pool):
            addresses = tuple(endpoint.servers)
        elif isinstance(endpoint, HttpEndpoint):
            addresses = (endpoint.base_url,)
        else:
            raise RunError(f"no server plays the role {model.role!r}", "run without --executor")
        spec = ModelSpec(
            model=model.served,
            base_url=addresses,
            api=spec.api,
            timeout=spec.timeout,
            concurrency=spec.concurrency,
        )
    if spec.concurrency is not None:
        spec = spec.model_copy(update={"concurrency": ceil(spec.concurrency / workers)})
    return Seat(spec=spec, model=model.model, weights=model.weights, served=model.served)


async def team_at(seats: Mapping[str, Seat], logs: Path, say: Callable[[str], None]) -> Team:
    """Models in these seats, whose calls go to the journal of the shard they are made for."""
    team = Team(
        {role: seat.spec for role, seat in seats.items()},
        cast(Journal, Routed()),
        logs,
        learners={},
        folders={},
        say=say,
    )
    try:
        await team.start()
    except BaseException:
        await team.aclose()
        raise
    for role, seat in seats.items():
        team.models[role].model = seat.model
        team.models[role].become(seat.served, seat.weights)
    return team
