"""A copy of a run's folder at a URL, so that a run goes on where its machine was lost.

The journal is copied as one consistent file, last of all; what it speaks of is there by then. Files
may be newer than the journal, as after a kill on one machine: what they belong to is done again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from pydantic import BaseModel

from synth.engine.folder import RunFolder
from synth.errors import RunError, SynthError
from synth.runs.runfiles import open_readonly
from synth.scale.bulletin import post, read
from synth.scale.lease import Lease, LeaseLost, Owner, take
from synth.scale.store import Store

__all__ = ["Mirror", "mirrored"]

EVERY = 20.0
"""Seconds between two looks at what has changed."""
LEASE = 90.0
"""Seconds after which a machine that is not heard of has lost the run."""
HOLD = "hold"
"""The copy's folder that says who writes it."""
LEFT_OUT = ("run.lock", "mirror.json", "journal.db", "journal.db-wal", "journal.db-shm")
FOLDERS_LEFT_OUT = ("scale", "export")
"""Folders of the run's that are made again, as are a training's checkpoints."""


class Listing(BaseModel):
    """`listing`: size and time of change (ns) of every file of the copy; `version` grows with each save."""

    version: int = 0
    files: dict[str, tuple[int, int]] = {}


class Mirror:
    """The copy of `folder` in `store`. Blocking; `mirrored` calls it from threads."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store, self._folder = store, folder
        self._listing = Listing()
        self._seen: tuple[int, ...] = ()
        self._lease: Lease | None = None

    def claim(self) -> None:
        """Be the one process that writes the copy. Raises `RunError` while another one is."""
        me = Owner.me(uuid.uuid4().hex[:8])
        self._lease = take(self._store, HOLD, "run", me, LEASE, self._store.names(f"{HOLD}/leases"))
        if self._lease is None:
            raise RunError(
                f"another process works on the run at {self._store.url}",
                f"wait for it; one that was killed elsewhere is out after {LEASE:.0f} s",
            )

    def renew(self) -> None:
        """Stay it. Raises `LeaseLost` where another may have taken over."""
        assert self._lease is not None
        self._lease.renew()

    def release(self) -> None:
        """Let others have it at once."""
        if self._lease is not None and self._lease.held:
            self._lease.release()

    def empty(self) -> None:
        """Forget the copy: the run begins anew."""
        for name in ("listing", "journal.db", "files"):
            self._store.delete(name)

    def restore(self) -> bool:
        """Bring the copy to this machine, if it has nothing of the run; whether it did.

        Raises `RunError` if it has an older state: another machine went on since.
        """
        found = read(self._store, "listing", Listing)
        mine = self._note.exists() and Listing.model_validate_json(self._note.read_bytes())
        if found is None:
            return False
        if (self._folder / "journal.db").exists():
            if not mine or mine.version < found.version:
                raise RunError(
                    f"{self._folder} is behind its copy at {self._store.url}: another machine went on",
                    "move the folder away: the run then goes on from the copy",
                )
            self._listing = mine
            return False
        for name, (_, changed) in found.files.items():
            self._store.download(f"files/{name}", self._folder / name)
            os.utime(self._folder / name, ns=(changed, changed))
        self._store.download("journal.db", self._folder / "journal.db")
        self._listing = found
        RunFolder.write_json(self._note, found)
        return True

    def save(self) -> None:
        """Bring the copy up to date."""
        before = self._marks()
        if before == self._seen:
            return
        with tempfile.TemporaryDirectory(prefix="synth-mirror-") as scratch:
            # First, so that the files it speaks of are there by now and will be copied.
            journal = Path(scratch) / "journal.db"
            _snapshot(self._folder / "journal.db", journal)
            files = {name: mark for name, mark in self._files()}
            for name, mark in files.items():
                if self._listing.files.get(name) != mark:
                    with contextlib.suppress(FileNotFoundError):  # taken away just now
                        self._store.upload(self._folder / name, f"files/{name}")
            self._store.upload(journal, "journal.db")
        gone = self._listing.files.keys() - files.keys()
        self._listing = Listing(version=self._listing.version + 1, files=files)
        post(self._store, "listing", self._listing)
        RunFolder.write_json(self._note, self._listing)
        for name in gone:
            self._store.delete(f"files/{name}")
        self._seen = before

    @property
    def _note(self) -> Path:
        return self._folder / "mirror.json"

    def _files(self) -> list[tuple[str, tuple[int, int]]]:
        found = []
        for path in sorted(self._folder.rglob("*")):
            name = path.relative_to(self._folder)
            parts = name.parts
            left_out = parts[0] in FOLDERS_LEFT_OUT or any(part.startswith("checkpoint-") for part in parts)
            if left_out or str(name) in LEFT_OUT or path.suffix in (".part", ".lock") or not path.is_file():
                continue
            with contextlib.suppress(FileNotFoundError):
                stat = path.stat()
                found.append((name.as_posix(), (stat.st_size, stat.st_mtime_ns)))
        return found

    def _marks(self) -> tuple[int, ...]:
        """What differs after any change: of all files, and of the journal with its log."""
        journal = [self._folder / name for name in ("journal.db", "journal.db-wal")]
        stats = [path.stat() for path in journal if path.exists()]
        return hash(tuple(self._files())), *(n for stat in stats for n in (stat.st_size, stat.st_mtime_ns))


def _snapshot(journal: Path, target: Path) -> None:
    source, copy = open_readonly(journal), sqlite3.connect(target)
    try:
        source.backup(copy)
    finally:
        source.close()
        copy.close()


@contextlib.asynccontextmanager
async def mirrored(
    url: str, folder: Path, say: Callable[[str], None], *, fresh: bool = False
) -> AsyncIterator[None]:
    """While a run is at work in `folder`, its copy at `url` (a folder of the run's name) follows.

    Raises `RunError` where the copy is another's, or cannot be written in the end.
    """
    mirror = Mirror(Store(f"{url.rstrip('/')}/{folder.name}", in_place=False), folder)
    await asyncio.to_thread(mirror.claim)
    task = asyncio.current_task()
    assert task is not None
    lost: list[LeaseLost] = []

    async def follow() -> None:
        while True:
            await asyncio.sleep(EVERY)
            try:
                await asyncio.to_thread(mirror.renew)
                await asyncio.to_thread(mirror.save)
            except LeaseLost as error:
                lost.append(error)
                task.cancel()
                return
            except (SynthError, OSError, sqlite3.Error) as error:
                say(f"the copy at {url} waits: {error}")

    try:
        if fresh:
            await asyncio.to_thread(mirror.empty)
        elif await asyncio.to_thread(mirror.restore):
            say(f"going on from the copy at {url}")
        following = asyncio.create_task(follow())
        try:
            yield
        except asyncio.CancelledError:
            if not lost:
                raise
            task.uncancel()
            raise RunError(
                f"another machine may have the run now: {url} was not reached for {LEASE:.0f} s",
                "see that it is not at work elsewhere, then run the same command",
            ) from None
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            if not lost and (folder / "journal.db").exists():
                await asyncio.to_thread(mirror.save)
    finally:
        await asyncio.to_thread(mirror.release)
