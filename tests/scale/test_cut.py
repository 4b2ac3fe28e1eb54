"""A network is cut between a worker and all else, for longer than its lease: nothing is lost or doubled."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import orjson
import pytest

from synth.runs.audit import Audit
from tests.scale.runs import FLOW, ROOT, data
from tests.support.network import Networks, networks, possible
from tests.support.request_log import paid_twice, read_log

TEACHER, BUCKET = 18000, 18001
"""Ports, in a network of their own."""
LEASE, CUT = 8, 16.0
"""Seconds. A lease may be taken over 2 seconds after its end."""
CONCURRENCY = 4
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not possible(), reason="needs root and network namespaces"),
]


class Place:
    """A folder, and processes on both sides of the cut that share it."""

    def __init__(self, folder: Path, nets: Networks, processes: ExitStack) -> None:
        self.folder, self.nets, self._processes = folder, nets, processes
        self.address = nets.address("near")
        self.environment = {**os.environ, **KEYS, "AWS_ENDPOINT_URL": f"http://{self.address}:{BUCKET}"}

    def start(self, name: str, side: str, *arguments: str) -> subprocess.Popen[bytes]:
        """A process that is ended with the test; what it says goes to NAME.log."""
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                self._command(side, arguments), cwd=ROOT, env=self.environment, stdout=log, stderr=log
            )
        self._processes.enter_context(_ended(process))
        return process

    def said(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def ask(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """A process that ends by itself, near the servers."""
        return subprocess.run(
            self._command("near", arguments), cwd=ROOT, env=self.environment, capture_output=True, check=False
        )

    def flow(self, name: str, concurrency: int) -> str:
        text = FLOW.format(port=TEACHER, concurrency=concurrency, params="{records: 150, drop_every: 5}")
        path = self.folder / f"{name}.yaml"
        path.write_text(text.replace("127.0.0.1", self.address))
        return str(path)

    def _command(self, side: str, arguments: tuple[str, ...]) -> list[str]:
        return [*self.nets.inside(side), sys.executable, *arguments]


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.kill()
        process.wait()


def until(what: Callable[[], bool], seconds: float = 240.0) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.1)


def servers(place: Place, log: Path) -> None:
    """A teacher and a bucket on the near side."""
    scripted = ("-m", "tests.support.openai_server", "--host", "0.0.0.0", "--port", str(TEACHER))
    place.start("teacher", "near", *scripted, "--latency", "0.3", "--jitter", "0.3", "--log", str(log))
    place.start("bucket", "near", "-m", "moto.server", "-H", "0.0.0.0", "-p", str(BUCKET))
    make = "import s3fs; s3fs.S3FileSystem().makedirs('runs', exist_ok=True)"
    until(lambda: place.ask("-c", make).returncode == 0)


def test_a_worker_behind_a_cut_is_replaced_and_comes_back(tmp_path: Path) -> None:
    """Its shards are another's when its lease is over; what it was asking then is all that is asked
    twice, the data are those of one process, and it works on once the network is back."""
    synth, log = ("-m", "synth.cli.main"), tmp_path / "requests.jsonl"
    with networks() as nets, ExitStack() as processes:
        place = Place(tmp_path, nets, processes)
        servers(place, log)
        run = (*synth, "run", "--runs", str(tmp_path), "--quiet")
        shared = ("--store", "s3://runs", "--shard", "12", "--lease", str(LEASE), "--workers", "0")
        flow = place.flow("cut", CONCURRENCY)
        head = place.start("head", "near", *run, flow, "--name", "cut", "--executor", "local", *shared)
        for side in ("near", "far"):
            far = place.start(side, side, *synth, "worker", "s3://runs/cut", "--name", side)
        until(lambda: log.is_file() and len(read_log(log)) > 60)
        nets.connect(False)
        time.sleep(CUT)
        assert head.poll() is None, "the run was over before the cut"
        nets.connect(True)
        assert head.wait(480) == 0, place.said("head")[-3000:]
        assert far.wait(240) == 0, place.said("far")[-3000:]
        asked = read_log(log)
        whole = Audit.model_validate(
            orjson.loads(place.ask(*synth, "audit", f"{tmp_path}/cut", "--json").stdout)
        )
        calm = place.ask(*run, place.flow("calm", 64), "--name", "calm")
        assert calm.returncode == 0, calm.stderr
    assert "has run out" in place.said("far"), "its lease outlived the cut"
    assert data(tmp_path / "cut") == data(tmp_path / "calm")
    assert (whole.lost, whole.duplicated, whole.unanswered, whole.failed) == (0, 0, 0, 0)
    twice = whole.repeated + whole.shared
    assert twice <= 2 * CONCURRENCY, "asked, or answered and not yet in the bucket"
    assert sum(times - 1 for times in paid_twice(asked, by="key").values()) <= twice
