"""The viewer over real HTTP: what it shows, and whom it refuses."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from synth.errors import ServerError
from synth.records import Lineage, Rejection, Sample
from synth.view import Index, View, serving
from tests.core.fake_run import build
from tests.view.conftest import result, settle

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.fixture
async def asked(finished: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of the finished run's viewer."""
    async with serving(View(settle(Index(finished)))) as address, aiohttp.ClientSession(address) as client:
        yield client


async def text(client: aiohttp.ClientSession, path: str, status: int = 200) -> str:
    async with client.get(path) as response:
        assert response.status == status, path
        return await response.text()


async def test_the_overview_is_the_reports_page(asked: aiohttp.ClientSession) -> None:
    page, part = await text(asked, "/"), await text(asked, "/?part=body")
    for shown in (page, part):
        assert "the student learned from 300 samples" in shown
    assert "<!doctype html>" in page
    assert "<!doctype html>" not in part
    assert "style=" not in page.replace('rel="stylesheet"', "")


async def test_lists_searches_and_pages(asked: aiohttp.ClientSession) -> None:
    """The parts that the browser asks for while one types are those of the whole page."""
    page = await text(asked, "/records")
    assert "1,102 records" in page
    assert page.count('class="row"') == 50
    assert '<option value="disagreed">disagreed (296)</option>' in page
    found = await text(asked, "/records?q=strawberry&reason=duplicate&part=found")
    assert "66 of 1,102 records" in found
    assert "<mark>strawberry</mark>" in found
    assert "<!doctype html>" not in found
    assert "Nothing is like that" in await text(asked, "/records?q=zebra")
    await text(asked, "/records?after=bogus&before=-5&round=%00")


async def test_a_record_is_shown_with_its_neighbours(asked: aiohttp.ClientSession, finished: Path) -> None:
    with Index(finished).connect() as db:
        query = "SELECT name FROM records WHERE state = ? ORDER BY id DESC LIMIT 1"
        kept, dropped = (db.execute(query, (state,)).fetchone()[0] for state in ("kept", "dropped"))
    page = await text(asked, f"/record/{kept}?state=kept")
    assert "Decrypt this Caesar cipher" in page
    assert 'rel="next"' in page
    assert "/records?state=kept" in page
    assert "512 of 512 tokens, no end" in await text(asked, f"/record/{dropped}")
    assert "nothing at this address" in await text(asked, "/record/nobody", 404)
    assert "nothing at this address" in await text(asked, "/../flow.yaml", 404)


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost:9000", 200), ("127.0.0.1", 200), ("evil.example", 403), ("127.0.0.1.evil.example:80", 403)],
)
async def test_another_sites_name_is_refused(asked: aiohttp.ClientSession, host: str, status: int) -> None:
    """DNS rebinding: a page of another site that has its own name point to this machine reads nothing."""
    async with asked.get("/records", headers={"Host": host}) as response:
        assert response.status == status
        assert ("Caesar" in await response.text()) is (status == 200)


async def test_it_can_only_be_read_and_says_what_pages_may_do(asked: aiohttp.ClientSession) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        async with asked.request(method, "/records") as response:
            assert response.status == 405
    for path in ("/", "/records", "/record/nobody", "/view.js", "/live"):
        async with asked.get(path) as response:
            policy = response.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert "Access-Control-Allow-Origin" not in response.headers


async def test_it_listens_on_loopback_alone(finished: Path) -> None:
    """A port that is taken is an error with its cure."""
    async with serving(View(Index(finished))) as address:
        port = int(address.rpartition(":")[2])
        with pytest.raises(ServerError, match=f"port {port}"):
            async with serving(View(Index(finished)), port):
                pass
        with socket.socket() as other:
            assert other.connect_ex(("127.0.0.2", port)) != 0


async def test_whatever_stands_in_a_record_is_text(tmp_path: Path) -> None:
    """Markup in prompts, answers, labels and searches never reaches the browser as markup."""
    run = build(tmp_path / "run", rounds=1)
    pair = Sample.pair(
        [{"role": EVIL, "content": EVIL}], EVIL + " a", EVIL + " b", seed_id=EVIL, flow=EVIL, arm=EVIL,
        round=1,        skills=(EVIL,), family=EVIL, licence=EVIL, learner=EVIL, meta={EVIL: [EVIL]},
    )  # fmt: skip
    rejection = Rejection(
        seed_id=EVIL,
        round=1,
        stage=EVIL,
        node=EVIL,
        reason=EVIL,
        detail=EVIL,
        raw=EVIL,
        data={EVIL: {"a": EVIL}},
    )
    data = run / "rounds" / "1" / "data"
    (data / "samples.jsonl").write_text(pair.model_dump_json() + "\n")
    (data / "rejected.jsonl").write_text(rejection.model_dump_json() + "\n")
    index = settle(Index(run))
    with index.connect() as db:
        names = [row[0] for row in db.execute("SELECT name FROM records")]
    async with serving(View(index)) as address, aiohttp.ClientSession(address) as client:
        paths = ["/", "/records", "/records?q=alert", *(f"/record/{name}" for name in names)]
        for path in (*paths, "/record/%3Cscript%3E"):
            page = await text(client, path, 404 if "%3C" in path else 200)
            assert "<script>" not in page
            assert "<img" not in page
        await text(client, "/records", 200)
        async with client.get("/records", params={"q": f'"{EVIL}', "skill": EVIL}) as response:
            assert "<img" not in await response.text()


async def test_what_is_new_is_told_and_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that goes on: the number that pages look at rises, and the record is there."""
    monkeypatch.setattr("synth.view.watch.LOOK_SECONDS", 0.01)
    run = build(tmp_path / "run", rounds=1, stop_in="generate")
    async with serving(View(Index(run))) as address, aiohttp.ClientSession(address) as client:

        async def live() -> dict[str, object]:
            async with client.get("/live") as response:
                return dict(await response.json())

        while (before := await live())["indexing"]:  # noqa: ASYNC110 (asked over HTTP)
            await asyncio.sleep(0.01)
        result(run, "fresh", ("a brand-new answer",))
        async with asyncio.timeout(20):
            while (await live())["records"] == before["records"]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        page = await text(client, "/records?q=brand-new")
        assert "1 of 1 records" in page
        assert "not curated" in page


async def test_a_records_ancestors_are_found_without_reading_the_data_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Among 100,000 samples a page would take half a second a parent; the index knows where each stands."""
    run = build(tmp_path / "run", rounds=1)
    path = run / "rounds/1/data/samples.jsonl"
    parent = Sample.model_validate_json(path.read_text().splitlines()[0])
    lineage = Lineage(parents=(parent.id, "nobody"))
    child = parent.model_copy(update={"id": "c" * 16, "lineage": lineage})
    with path.open("a") as file:
        file.write(child.model_dump_json() + "\n")

    def never(*_: object) -> None:
        raise AssertionError("the data were read through")

    monkeypatch.setattr("synth.runs.lookup._samples", never)
    async with serving(View(settle(Index(run)))) as address, aiohttp.ClientSession(address) as client:
        page = await text(client, f"/record/{child.id}")
    assert f'href="/record/{parent.id}"' in page
    assert "nobody" in page
