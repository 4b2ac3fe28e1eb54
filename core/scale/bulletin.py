"""What head and workers tell each other through the store, besides shards."""

from __future__ import annotations

import gzip
import time
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel

from synth import errors
from synth.config import ModelSpec
from synth.errors import SynthError
from synth.scale.store import Store

__all__ = ["Brief", "Notice", "Run", "Seat", "post", "read", "report", "reports"]

T = TypeVar("T", bound=BaseModel)


class Run(BaseModel):
    """`run.json`: which run this store belongs to, written once a start of the head."""

    id: str
    version: str
    flow: dict[str, Any]
    path: str
    folder: str
    lease_seconds: float
    in_place: bool


class Notice(BaseModel):
    """`notice.json`: what there is to do now, rewritten by the head every few seconds.

    `stage` is `ROUND/NAME`, empty where nothing is to be done; `over` sends the workers home.
    """

    stage: str = ""
    start: str = ""
    over: bool = False
    at: float = 0.0


class Seat(BaseModel):
    """Who plays a role, in a worker: where to ask, and what the answers are called in journals."""

    spec: ModelSpec
    model: str
    weights: str
    served: str


class Brief(BaseModel):
    """`brief` of a stage: what a worker needs to come to the same graph as the head.

    `files` are small files of the run's folder, `done` the stages whose results can be read.
    """

    round: int
    seats: dict[str, Seat]
    files: dict[str, str]
    mixed: dict[str, list[dict[str, Any]]]
    done: list[str]


def post(store: Store, name: str, content: BaseModel) -> None:
    """Put one of these into the store."""
    if isinstance(content, Notice):
        content.at = time.time()
    store.write(name, gzip.compress(content.model_dump_json().encode(), compresslevel=1, mtime=0))


def read(store: Store, name: str, kind: type[T]) -> T | None:
    """One of these, None if it is not there."""
    raw = store.read(name)
    return kind.model_validate_json(gzip.decompress(raw)) if raw is not None else None


def report(store: Store, worker: str, state: str, error: SynthError | None = None) -> None:
    """Say how a worker is: `works`, `failed` or `ended`."""
    story = {"kind": type(error).__name__, "what": error.what, "cure": error.cure} if error else {}
    store.write(f"workers/{worker}", orjson.dumps({"state": state, "at": time.time(), **story}))


def reports(store: Store) -> dict[str, tuple[str, SynthError | None]]:
    """State and error of every worker that was ever heard of."""
    found: dict[str, tuple[str, SynthError | None]] = {}
    for name in store.names("workers"):
        raw = store.read(f"workers/{name}")
        if raw is not None:
            said = orjson.loads(raw)
            found[name] = (said["state"], _error(said) if "kind" in said else None)
    return found


def _error(said: dict[str, Any]) -> SynthError:
    """An error of this class again; its text alone where it is of a class that takes more."""
    kind = getattr(errors, str(said["kind"]), SynthError)
    try:
        error = kind(said["what"], said["cure"])
    except TypeError:
        error = SynthError(said["what"], said["cure"])
    return error if isinstance(error, SynthError) else SynthError(said["what"], said["cure"])
