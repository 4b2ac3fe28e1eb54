"""`synth serve`: the champion is found, served under a name, and gone when the command ends."""

from __future__ import annotations

import asyncio
import socket
import sys
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from synth.errors import ModelError, RunError, ServerError
from synth.measure import served as serving_module
from synth.measure.examinee import Examinee
from synth.measure.served import served, who_is
from synth.progress import make_progress
from synth.teachers import vllm
from synth.teachers.vllm import VllmServer
from tests.core.fake_run import build
from tests.support.command import called

FAKE = Path(__file__).parents[1] / "teachers" / "fake_vllm.py"


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    """The launcher starts a program that plays vLLM."""
    command = [sys.executable, str(FAKE), "well"]
    monkeypatch.setattr(serving_module, "VllmServer", partial(VllmServer, command=command, stop_seconds=1.0))
    monkeypatch.setattr(vllm, "POLL_SECONDS", 0.02)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Two rounds with students; the first was promoted."""
    run = build(tmp_path / "stat")
    for number in ("1", "2"):
        student = run / "rounds" / number / "student"
        student.mkdir()
        (student / "config.json").write_text("{}")
    return run


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


async def models(address: str) -> list[str]:
    async with aiohttp.ClientSession() as client, client.get(f"{address}/models") as response:
        return [model["id"] for model in (await response.json())["data"]]


async def test_a_runs_champion_is_its_last_promoted_student(run: Path) -> None:
    """Not its last student, which the gate refused; that one can be asked for."""
    assert (await who_is(str(run), None)).title == "stat, round 1"
    assert (await who_is(str(run), 2)).title == "stat, round 2"
    (run / "rounds" / "1" / "gate.json").unlink()
    with pytest.raises(RunError, match="champion is the model it began with"):
        await who_is(str(run), None)
    with pytest.raises(ModelError, match="weights of its own"):
        await who_is("a.module:function", None)


async def test_a_model_is_served_under_its_name_and_ends_with_the_command(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A port that is taken is said, with what to do here."""
    monkeypatch.setattr(serving_module, "resolve", lambda name: Path(name))
    who: Examinee = await who_is(str(run), None)
    port = free_port()
    with make_progress(quiet=True) as progress:
        async with served(who, port, None, progress) as up:
            assert up.server.base_url == f"http://127.0.0.1:{port}/v1"
            assert await models(up.server.base_url) == [up.name] == ["stat-round-1"]
            with pytest.raises(ServerError, match="--port"):
                async with served(who, port, "other", progress):
                    pass
        assert not up.server.alive


def test_the_command_prints_an_address_and_a_call_to_copy(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(serving_module, "resolve", lambda name: Path(name))

    async def interrupted(server: VllmServer) -> None:
        await asyncio.sleep(0)
        raise KeyboardInterrupt

    monkeypatch.setattr(VllmServer, "watch", interrupted)
    port = free_port()
    code, out, _ = called(capsys)("serve", run, "--port", str(port), "--name", "mine")
    assert code == 0
    assert f"served as mine at http://127.0.0.1:{port}/v1" in out
    assert f"curl http://127.0.0.1:{port}/v1/chat/completions" in out
    assert '"model": "mine"' in out
