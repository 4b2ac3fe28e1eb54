"""Leases and stores: one owner at a time, a dead one's shard at once, and no sending without one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from synth.journal import Journal
from synth.records import Seed
from synth.scale import store as stores
from synth.scale.journal import ShardJournal
from synth.scale.lease import Lease, LeaseLost, Owner, take
from synth.scale.shards import Shard, pieces
from synth.scale.store import Store

PLACE, SHARD = "stages/1-make", "000000-abc.0"


def want(store: Store, owner: Owner, seconds: float = 30.0) -> Lease | None:
    return take(store, PLACE, SHARD, owner, seconds, store.names(f"{PLACE}/leases"))


def test_a_shard_has_one_owner_until_it_is_given_back_or_runs_out(tmp_path: Path) -> None:
    """Held it is nobody else's; released, out of date or of a dead process it is the next one's at once."""
    store, here = Store(str(tmp_path)), Owner.me("one")
    elsewhere = replace(here, name="two", machine="another")
    first = want(store, here)
    assert first is not None
    assert want(store, elsewhere) is None
    first.renew()
    first.release()
    second = want(store, elsewhere, seconds=-5.0)
    assert second is not None, "it was given back"
    assert second.generation == 1
    third = want(store, here)
    assert third is not None, "it ran out"
    with pytest.raises(LeaseLost):
        second.renew()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    store.write(third.name, store.read(third.name).replace(str(here.pid).encode(), str(dead.pid).encode()))  # type: ignore[union-attr]
    assert want(store, elsewhere) is not None, "its owner is dead"


def test_a_process_number_used_again_is_not_taken_for_its_owner() -> None:
    me = Owner.me("one")
    assert not me.dead
    assert replace(me, started=me.started - 100).dead
    assert not replace(me, machine="another", pid=2**22).dead
    assert psutil.pid_exists(me.pid)


@pytest.mark.parametrize("url", ["{place}", "memory://synth-test-{name}"])
def test_a_store_creates_once_and_replaces_whole(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files by name, in a folder and in a store without an atomic create, which is read back."""
    monkeypatch.setattr(stores, "SETTLE", 0.01)
    store = Store(url.format(place=tmp_path, name=tmp_path.name))
    assert store.read("a/one") is None
    assert store.names("a") == []
    assert store.create("a/one", b"first")
    assert not store.create("a/one", b"second")
    assert store.read("a/one") == b"first"
    store.write("a/one", b"third")
    store.write("a/two", b"")
    assert (store.read("a/one"), store.names("a")) == (b"third", ["one", "two"])
    store.delete("a/one")
    store.delete("a/none")
    assert store.names("a") == ["two"]
    store.delete("a")
    assert store.names("a") == []


def test_a_folder_goes_while_a_worker_writes_into_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes in between emptying the folder and taking it away is taken away too."""
    store, removed, late = Store(str(tmp_path)), os.rmdir, ["one", "two"]
    store.write("workers/none", b"")

    def rmdir(path: str, *, dir_fd: int | None = None) -> None:
        if late:
            store.write(f"workers/{late.pop()}", b"")
        removed(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "rmdir", rmdir)
    store.delete("workers")
    assert not late and not (tmp_path / "workers").exists()


async def test_nothing_is_sent_once_the_lease_has_run_out(tmp_path: Path) -> None:
    """A worker that slept past its deadline cannot double what its successor does."""
    seeds = (Seed.of(n=1), Seed.of(n=2))
    shard = Shard("000000-abc", 0, (4, 7), seeds)
    lease = want(Store(str(tmp_path / "store")), Owner.me("one"))
    assert lease is not None
    journal = ShardJournal(tmp_path / "shard.db", shard, lease, "0" * 12)
    await journal.intend(b"k" * 16)
    journal.store_result("1/make", seeds[1].id, 1, 0, 0, b"{}")
    lease.deadline = time.time() + 1.0
    with pytest.raises(LeaseLost):
        await journal.intend(b"l" * 16)
    await journal.flush()
    journal.close()
    again = Journal(tmp_path / "shard.db")
    rows = again._reader.execute("SELECT COUNT(*), MAX(position) FROM sends, results").fetchall()
    again.close()
    assert rows == [(1, 7)], "one call left, and results have the positions of the whole stage"


def test_pieces_depend_on_their_seeds_alone() -> None:
    """Cut again, by whoever, they have the same names; a seed that comes twice is cut once."""
    seeds = [Seed.of(n=n) for n in (0, 1, 2, 1, 3, 4, 0, 5)]
    cut = list(pieces(iter(seeds), 4))
    assert [[at for at, _ in piece.seeds] for piece in cut] == [[0, 1, 2, 4], [5, 7]]
    assert [piece.name for piece in cut] == [piece.name for piece in pieces(seeds, 4)]
    shard = Shard(cut[1].name, 2, (5, 7), (seeds[5], seeds[7]))
    assert Shard.load(shard.title, shard.dump()) == shard
