"""A run's copy elsewhere: what a lost machine had done goes on from it, and two never write one copy."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from synth.errors import RunError
from synth.scale import mirror
from synth.scale.mirror import Mirror, mirrored
from synth.scale.store import Store
from tests.scale.runs import ROOT, data, flow_file, receipt, run, server


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with server("--latency", "0.02") as found:
        yield found


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(mirror, "EVERY", 0.05)


def machine(place: Path, port: int) -> Path:
    """The flow file on a machine of its own."""
    place.mkdir()
    return flow_file(place, port, concurrency=4, records=30, drop_every=4)


async def test_another_machine_goes_on_from_the_copy(port: int, tmp_path: Path) -> None:
    """The data are those of a run that was never moved; what was paid and saved is not paid again."""
    calm = await run(machine(tmp_path / "calm", port), "night")
    first = asyncio.create_task(
        run(machine(tmp_path / "first", port), "night", mirror=str(tmp_path / "copies"))
    )
    copy, left = tmp_path / "copies/night", tmp_path / "left/night"
    while not (copy / "listing").exists():  # noqa: ASYNC110 (a bucket sets no event)
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)
    while True:  # what a bucket holds when the machine is lost, at any moment
        try:
            shutil.copytree(copy, left, ignore=shutil.ignore_patterns("hold", "*.part"))
            break
        except shutil.Error:
            shutil.rmtree(left)
    assert not first.done(), "the run was over before it could be moved"
    await first
    second = await run(machine(tmp_path / "second", port), "night", mirror=str(left.parent))
    assert data(second) == data(calm)
    one, moved = receipt(calm), receipt(second)
    assert (moved.lost, moved.duplicated, moved.starts) == (0, 0, 2)
    assert (moved.paid, moved.kept, moved.rejected) == (one.paid, one.kept, one.rejected)
    assert moved.replayed > 0, "nothing was taken from the copy"
    assert moved.repeated + moved.unanswered <= 4, "more than the calls in flight were cut off"


async def test_the_copy_has_every_file_at_the_end(port: int, tmp_path: Path) -> None:
    """A machine that has nothing gets a finished run whole, and has nothing left to do."""
    folder = await run(machine(tmp_path / "first", port), "night", mirror=str(tmp_path / "copies"))
    again = await run(machine(tmp_path / "second", port), "night", mirror=str(tmp_path / "copies"))
    for name in ("rounds/1/data/train.jsonl", "rounds/1/data/rejected.jsonl", "events.jsonl", "flow.yaml"):
        assert (again / name).exists(), f"{name} was not copied"
    assert data(again) == data(folder)
    assert receipt(again).sent == receipt(folder).sent, "a finished run asked again"


async def test_a_copy_has_one_writer(tmp_path: Path) -> None:
    """A second process is told so; after the first has gone the copy is free."""
    url = str(tmp_path / "copies")
    async with mirrored(url, tmp_path / "one/night", print):
        with pytest.raises(RunError, match="another process works on the run"):
            async with mirrored(url, tmp_path / "two/night", print):
                pass
    async with mirrored(url, tmp_path / "two/night", print):
        pass


async def test_an_older_folder_is_not_gone_on_with(port: int, tmp_path: Path) -> None:
    """What another machine has paid since would be paid twice, and its work overwritten."""
    flow, url = machine(tmp_path / "first", port), str(tmp_path / "copies")
    folder = await run(flow, "night", mirror=url)
    other = machine(tmp_path / "second", port)
    await run(other, "night", None, "with.records=30", mirror=url)
    elsewhere = Mirror(Store(f"{url}/night", in_place=False), other.parent / "night")
    elsewhere.restore()
    (other.parent / "night/events.jsonl").write_text("more\n")
    elsewhere.save()
    with pytest.raises(RunError, match="is behind its copy"):
        await run(flow, "night", mirror=url)
    shutil.rmtree(folder)
    assert (await run(flow, "night", mirror=url) / "events.jsonl").read_text().startswith("more\n")


async def test_fresh_forgets_the_copy(port: int, tmp_path: Path) -> None:
    """A run begun anew takes nothing from the copy of the earlier one."""
    flow, url = machine(tmp_path / "first", port), str(tmp_path / "copies")
    folder = await run(flow, "night", mirror=url)
    shutil.rmtree(folder)
    assert receipt(await run(flow, "night", mirror=url, fresh=True)).starts == 1


async def test_who_cannot_reach_the_copy_stops_before_another_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the lease is out the run ends with an error, and writes nothing into the copy any more."""
    monkeypatch.setattr(mirror, "LEASE", 2.2)  # two of them are kept as a margin for clocks

    def cut(self: Mirror) -> None:
        raise RunError("the store does not answer", "mend it")

    monkeypatch.setattr(Mirror, "save", cut)
    said: list[str] = []
    real, calls = Mirror.renew, 0

    def renew(self: Mirror) -> None:
        nonlocal calls
        calls += 1
        if calls < 3:
            cut(self)
        real(self)

    monkeypatch.setattr(Mirror, "renew", renew)
    monkeypatch.setattr(mirror, "EVERY", 0.15)
    with pytest.raises(RunError, match="another machine may have the run"):
        async with mirrored(str(tmp_path / "copies"), tmp_path / "night", said.append):
            await asyncio.sleep(30)
    assert len(said) == 2 and "waits" in said[0]
