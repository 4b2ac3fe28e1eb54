"""What the head tells the store of its run, and of the stage that workers are to come to."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from synth import __version__
from synth.config import Loaded
from synth.engine.session import Session
from synth.errors import RunError
from synth.journal import Journal
from synth.scale.bulletin import Brief, Run, post, read
from synth.scale.plan import Scale
from synth.scale.results import publish
from synth.scale.seats import seats_of
from synth.scale.store import Store

__all__ = ["brief", "claim", "store_of"]

SMALL_FILES = 5_000_000
"""Bytes up to which a file of the run's rounds is passed on to workers."""


def store_of(scale: Scale, folder: Path) -> Store:
    """Where head and workers of a run meet: a folder of the run's own, or one below `--store`.

    A store that other machines may share is never used for files that all have open.
    """
    if scale.store:
        return Store(f"{scale.store.rstrip('/')}/{folder.name}", in_place=False)
    return Store(str(folder / "scale"), in_place=scale.address is None)


def claim(store: Store, journal: Journal, loaded: Loaded, lease_seconds: float) -> None:
    """Make the store this run's. Raises `RunError` if it holds another run's shards."""
    identity = journal.meta("scale")
    found = read(store, "run.json", Run)
    if found is not None and found.id != identity:
        raise RunError(
            f"the store {store.url} holds the shards of another run",
            "name another --store, or begin anew with --fresh",
        )
    if identity is None:
        identity = uuid.uuid4().hex
        journal.set_meta("scale", identity)
    journal.set_meta("scale-store", store.url)
    journal.set_meta("scale-journals", "files" if store.in_place else "segments")
    run = Run(
        id=identity,
        version=__version__,
        flow=loaded.resolved(),
        path=str(loaded.path.absolute()),
        folder=str(Path.cwd()),
        lease_seconds=lease_seconds,
        in_place=store.in_place,
    )
    store.delete("workers")
    post(store, "run.json", run)


def brief(store: Store, session: Session, place: str, workers: int) -> None:
    """Leave in the stage's folder `place` what each of `workers` needs to come to this stage."""
    done = [row for row in session.journal.stages() if row.status == "done"]
    names = [f"{row.round}/{row.name}" for row in done]
    names = [name for name in names if session.journal.result_counts(name)[0]]
    for name in names:
        publish(store, name, session.journal.results(name))
    mixed = session.sources.mixed
    content = Brief(
        round=session.round,
        seats=seats_of(session.flow.models, cast(Any, session.models), workers),
        files=dict(_files(session.folder.path)),
        mixed={name: [one.model_dump() for one in rows] for name, rows in mixed.items()},
        done=names,
    )
    post(store, f"{place}/brief", content)


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    """The run's tokenizer and the small files of its rounds, which a flow may read."""
    for path in [folder / "tokenizer.json", *sorted(folder.glob("rounds/*/*.json"))]:
        if path.is_file() and (path.name == "tokenizer.json" or path.stat().st_size < SMALL_FILES):
            yield str(path.relative_to(folder)), path.read_text(encoding="utf-8")
