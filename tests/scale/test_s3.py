"""A run whose workers meet in a bucket, on a real S3 server (moto's), over HTTP with s3fs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import orjson
import pytest
import s3fs
from moto import server as moto

from synth.config import DataSource
from synth.data import read_questions
from synth.errors import DataError
from synth.export.upload import upload
from synth.export.write import MARK
from synth.scale import Scale, desk, head, journal, merge, worker
from synth.scale.lease import Owner, take
from synth.scale.store import Store
from synth.scale.worker import work
from tests.scale.runs import ROOT, data, flow_file, receipt, run
from tests.support.openai_server import ScriptedServer


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty bucket of a server of its own, which the environment points to."""
    server = moto.ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem().makedirs("runs", exist_ok=True)
    yield f"s3://runs/{port}"
    server.stop()


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """A teacher; and all who look at the bucket look often."""
    monkeypatch.chdir(ROOT)
    for module, name in ((head, "LOOK"), (head, "LOOK_REMOTE"), (worker, "LOOK"), (journal, "SHIP_EVERY")):
        monkeypatch.setattr(module, name, 0.05)
    async with ScriptedServer(latency=0.05) as running:
        yield running.port


def test_a_lease_is_taken_by_exactly_one(bucket: str) -> None:
    """Of eight that want a shard at once one gets it; and one that was given back goes on to the next."""
    store = Store(bucket)
    owner = Owner.me("one")
    barrier = threading.Barrier(8)
    won = []

    def want() -> None:
        barrier.wait()
        if lease := take(store, "stages/1-make", "000000-a.0", owner, 30.0, []):
            won.append(lease)

    threads = [threading.Thread(target=want) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    known = store.names("stages/1-make/leases")
    assert take(store, "stages/1-make", "000000-a.0", owner, 30.0, known) is None
    won[0].release()
    again = take(store, "stages/1-make", "000000-a.0", owner, 30.0, known)
    assert again is not None
    assert again.generation == 1


async def test_a_worker_that_vanishes_leaves_its_journal_in_the_bucket(
    bucket: str, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it was answered is replayed by the next owner of its shards: the data are those of one
    process, and nothing but its calls in flight is paid twice."""
    flow = flow_file(tmp_path, port, concurrency=4, records=30, drop_every=4)
    alone = await run(flow, "alone")
    monkeypatch.setattr(desk, "POLL_MOST", 0.2)
    url = f"{bucket}/shared"
    scale = Scale(workers=0, shard=10, store=bucket, lease_seconds=12.0)
    leader = asyncio.create_task(run(flow, "shared", scale))
    helper = asyncio.create_task(work(url, "first"))
    store = Store(url)
    while _segments(store) < 8:  # noqa: ASYNC110 (a bucket sets no event)
        await asyncio.sleep(0.05)
    helper.cancel()
    await asyncio.gather(helper, return_exceptions=True)
    helpers = [asyncio.create_task(work(url, name)) for name in ("second", "third")]
    shared = await leader
    await asyncio.gather(*helpers)
    assert data(shared) == data(alone)
    one, many = receipt(alone), receipt(shared)
    assert (many.paid, many.seeds, many.kept, many.rejected) == (one.paid, one.seeds, one.kept, one.rejected)
    assert (many.lost, many.duplicated, many.shared, many.failed, many.unanswered) == (0, 0, 0, 0, 0)
    assert many.replayed > 0
    assert many.repeated <= 2 * 4, "four calls at a time in each of two shards were in flight"
    assert not store.names("stages"), "the stages' shards were left behind"
    monkeypatch.setattr(merge, "Store", _gone)
    assert receipt(shared) == many, "a finished run needs its bucket no more"


def _gone(url: str, in_place: bool) -> Store:
    raise AssertionError(f"{url} was asked")


def test_data_come_from_a_bucket_and_an_export_goes_to_one(bucket: str, tmp_path: Path) -> None:
    """A real S3 listing has no folders and pages of its own; both are read and written through it."""
    rows = [{"question": f"{n}?", "answer": str(n)} for n in range(3)]
    for name, row in zip("abc", rows, strict=True):
        s3fs.S3FileSystem().pipe_file(f"{bucket}/data/{name}.jsonl", orjson.dumps(row))
    read = read_questions(DataSource(source=f"{bucket}/data"), base=tmp_path)
    assert [question.answer for question in read] == ["0", "1", "2"]
    with pytest.raises(DataError, match="there is no file or folder"):
        next(read_questions(DataSource(source=f"{bucket}/none.jsonl"), base=tmp_path))
    for name in ("train.parquet", MARK):
        (tmp_path / name).write_text(name)
    for _ in range(2):
        upload(tmp_path, f"{bucket}/out")
    assert Store(f"{bucket}/out").names("") == [MARK, "train.parquet"]


def _segments(store: Store) -> int:
    """Segments of the first stage's journals so far."""
    shards = {title.rpartition(".")[0] for title in store.names("stages/1-draft/shards")}
    return sum(len(store.names(f"stages/1-draft/journals/{shard}")) for shard in shards)
