"""Many servers in one role, over real HTTP: spread, affinity, death, silence, coming and going."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from synth.chat import Request
from synth.config import ModelSpec
from synth.errors import EndpointError
from synth.journal import Journal
from synth.records import Sampling
from synth.runs.audit import audit
from synth.teachers import retry
from synth.teachers.http import HttpEndpoint
from synth.teachers.model import Model
from synth.teachers.pool import Pool, once
from synth.teachers.roster import Roster
from synth.teachers.team import Team
from tests.support.openai_server import ScriptedServer
from tests.support.wire import Reply
from tests.support.wire import Request as Asked


class Server(ScriptedServer):
    """Notes which records it was asked about; `mute` stands for a machine whose network was cut."""

    mute = False

    def __init__(self, **options: Any) -> None:
        self.records: list[str] = []

        def reply(messages: Sequence[Mapping[str, Any]], body: Mapping[str, Any]) -> str:
            self.records.append(str(messages[-1]["content"]).split()[0])
            return "ok"

        super().__init__(reply, **options)

    async def _handle(self, request: Asked) -> Reply:
        if self.mute:
            await asyncio.Event().wait()
        return await super()._handle(request)


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits of milliseconds: what is tested is that they happen, not how long they take."""
    monkeypatch.setattr(retry, "_backoff", lambda policy, tries: 0.01)


@asynccontextmanager
async def servers(count: int, **options: Any) -> AsyncIterator[list[Server]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Server(**options)) for _ in range(count)]


@asynccontextmanager
async def pooled(
    listed: Callable[[], Sequence[str]], journal: Journal, **options: Any
) -> AsyncIterator[Model]:
    """A model behind a pool whose looks take milliseconds."""

    async def join(address: str) -> HttpEndpoint:
        return HttpEndpoint(address, concurrency=32, retries=once, timeout=30)

    async def leave(endpoint: HttpEndpoint) -> None:
        await endpoint.aclose()

    pool = Pool(listed, join, leave, **{"every": 0.02, "seconds": 0.1, **options})
    try:
        await pool.start("scripted")
        yield Model("teacher", "scripted", "w1", "scripted", pool, journal)
    finally:
        await pool.aclose()


async def ask_all(
    model: Model, records: Sequence[str], done: Callable[[int], Any] = lambda count: None, calls: int = 3
) -> None:
    """Each record's calls one after the other, all records at once, as graphs do."""
    finished = 0

    async def one(record: str) -> None:
        nonlocal finished
        for call in range(calls):
            messages = [{"role": "user", "content": f"{record} {call}"}]
            await model.ask(Request(messages, Sampling(), record=record))  # type: ignore[arg-type]
            finished += 1
            if asyncio.iscoroutine(work := done(finished)):
                await work

    async with asyncio.TaskGroup() as group:
        for record in records:
            group.create_task(one(record))


def addresses(some: Sequence[Server]) -> Callable[[], list[str]]:
    return lambda: [server.base_url for server in some]


def names(count: int) -> list[str]:
    return [f"record-{number}" for number in range(count)]


async def test_records_spread_and_keep_to_their_server(journal: Journal) -> None:
    """Every server works, and nearly every record finds its own prefix again."""
    async with servers(4, latency=0.002) as four, pooled(addresses(four), journal) as model:
        assert model.width == 4 * 32
        await ask_all(model, names(400))
    asked = [len(server.records) for server in four]
    assert sum(asked) == 1200
    assert min(asked) > 200, asked
    homes = defaultdict(Counter)  # type: ignore[var-annotated]
    for number, server in enumerate(four):
        for record in server.records:
            homes[record][number] += 1
    at_home = sum(max(counts.values()) for counts in homes.values())
    assert at_home > 0.9 * 1200, f"{at_home} of 1,200 calls went to the server of their record"


async def test_one_dead_of_four_costs_no_record_and_its_flights_are_counted(
    journal: Journal, tmp_path: Path
) -> None:
    """What was in flight at the dead server, no more than its gate lets through, goes to others, each
    a repeat in the receipt; nothing fails."""
    async with servers(4, latency=0.03) as four:

        async def kill(finished: int) -> None:
            if finished == 150:
                await four[0].down()

        async with pooled(addresses(four), journal) as model:
            await ask_all(model, names(200), kill)
            assert model.width == 3 * 32
    await journal.flush()
    receipt = audit(tmp_path)
    assert (receipt.paid, receipt.failed, receipt.unanswered) == (600, 0, 0)
    assert 0 < receipt.repeated <= 32
    assert receipt.sent == receipt.paid + receipt.repeated


async def test_a_silent_server_is_given_up_and_taken_back(journal: Journal, tmp_path: Path) -> None:
    """A machine cut off from the network holds its calls for a few looks only, not for a time-out;
    when it answers again it gets calls again."""
    said: list[str] = []
    async with servers(2, latency=0.005) as two:

        def cut(finished: int) -> None:
            if finished == 40:
                two[0].mute = True

        async with pooled(addresses(two), journal, say=said.append) as model:
            await asyncio.wait_for(ask_all(model, names(60), cut), 5)
            assert any("does not answer; 1 other left" in line for line in said), said
            two[0].mute = False
            before = len(two[0].records)
            while model.width < 64:  # noqa: ASYNC110 (a pool sets no event)
                await asyncio.sleep(0.01)
            await ask_all(model, [f"later-{name}" for name in names(60)])
            assert len(two[0].records) > before
    await journal.flush()
    receipt = audit(tmp_path)
    assert (receipt.paid, receipt.failed, receipt.unanswered) == (360, 0, 0)
    assert receipt.repeated <= 32


async def test_servers_come_and_go_during_a_run(journal: Journal, tmp_path: Path) -> None:
    """One that joins the list gets its share, one that leaves it is drained: its calls are not repeated."""
    listed = tmp_path / "servers"
    listed.mkdir()
    said: list[str] = []
    async with servers(3, latency=0.01) as three:
        first, second, third = three
        (listed / "one").write_text(f"{first.base_url}\n")
        (listed / "two").write_text(f"{second.base_url}  # to leave\nnonsense\n")
        done_there = 0

        async def change(finished: int) -> None:
            nonlocal done_there
            if finished == 100:
                (listed / "three").write_text(third.base_url)
                (listed / "two").unlink()
            if finished == 500:
                done_there = len(second.records)

        async with pooled(Roster(listed, said.append).addresses, journal, say=said.append) as model:
            await ask_all(model, names(200), change, calls=4)
            while len(model.endpoint.servers) > 2:  # type: ignore[attr-defined]  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert len(third.records) > 100
    assert len(second.records) == done_there, "it got calls after it was drained"
    assert any("nonsense" in line or "not a web address" in line for line in said)
    await journal.flush()
    receipt = audit(tmp_path)
    assert (receipt.paid, receipt.repeated) == (800, 0)


async def test_a_list_that_cannot_be_read_changes_nothing(tmp_path: Path) -> None:
    """A file half written, empty or gone for a moment does not drain the servers that were on it."""
    file = tmp_path / "servers.txt"
    file.write_text("http://a:1/v1\nhttp://b:1/v1/\nhttp://a:1/v1\n")
    roster = Roster(file)
    assert roster.addresses() == ("http://a:1/v1", "http://b:1/v1")
    file.write_text("")
    assert len(roster.addresses()) == 2
    file.unlink()
    assert len(roster.addresses()) == 2


async def test_no_server_at_all_is_said(journal: Journal) -> None:
    """At the start at once, with what is wrong with each; in the middle once patience has run out."""
    async with servers(2, models=["other"]) as two:
        with pytest.raises(EndpointError, match="does not serve 'scripted' but other"):
            await pooled(addresses(two), journal).__aenter__()
    async with servers(2) as two, pooled(addresses(two), journal, patience=0.1) as model:
        for server in two:
            await server.down()
        with pytest.raises(EndpointError, match="no server answered for 0 s"):
            await model.ask(Request([{"role": "user", "content": "2+2?"}], Sampling()))


async def test_a_flow_file_names_many_servers_and_the_keys_stay(journal: Journal, tmp_path: Path) -> None:
    """`base_url: [a, b]` and `base_urls: file` play a role like one server; a call's key depends on
    the first address or the file's name alone, so that servers may be added without paying anew."""
    async with servers(2) as two:
        listed = tmp_path / "servers.txt"
        listed.write_text("\n".join(server.base_url for server in two))
        specs = {
            "one": ModelSpec(model="scripted", base_url=two[0].base_url),
            "two": ModelSpec(model="scripted", base_url=tuple(server.base_url for server in two)),
            "file": ModelSpec(model="scripted", base_urls=str(listed)),
        }
        team = Team(specs, journal, tmp_path, learners={}, folders={}, say=lambda text: None)
        await team.start()
        try:
            await ask_all(team.models["one"], names(3))
            await ask_all(team.models["two"], names(3))
            assert journal.replayed == 9
            assert team.models["file"].weights == str(listed)
            await ask_all(team.models["file"], names(3))
        finally:
            await team.aclose()
    assert sum(len(server.records) for server in two) == 18
