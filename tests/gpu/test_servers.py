"""Servers that make room: what they are told, in which order, and what they have when they come back."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from synth.config.flowfile import ServerOptions
from synth.errors import ServerError
from synth.teachers.owner import own, wait_for_all
from synth.teachers.vllm import VllmServer
from synth.teachers.vllm_args import arguments, environment
from tests.teachers.test_vllm_launcher import FAKE


def fake(place: Path, *, dev: bool = False, lora: bool = False) -> VllmServer:
    place.joinpath("adapter").mkdir(exist_ok=True)
    return VllmServer(
        place / "base",
        "base",
        ServerOptions(),
        place / "server-0.log",
        lora=lora,
        dev=dev,
        sleeps=True,
        stop_seconds=1.0,
        command=[sys.executable, str(FAKE), "whole"],
    )


def told(server: VllmServer) -> list[str]:
    """The routes of what the server was told, since it was first started."""
    lines = server.log.read_text().splitlines()
    return [line.split()[1] for line in lines if line.startswith("told ")]


async def test_weights_that_stay_are_kept_in_sleep(tmp_path: Path) -> None:
    """Level 1: calls in flight are waited for, and nothing has to be loaded again."""
    async with fake(tmp_path, lora=True) as server:
        await server.load_adapter("r1", tmp_path / "adapter")
        await server.sleep()
        assert server.asleep == 1
        await server.wake()
        await server.wake()
    assert told(server) == ["/v1/load_lora_adapter", "/sleep?level=1&mode=wait", "/wake_up"]


async def test_weights_that_change_are_dropped_and_read_as_it_wakes(tmp_path: Path) -> None:
    """Level 2: room for weights, the new weights, only then the cache and with it requests."""
    async with fake(tmp_path, dev=True) as server:
        await server.sleep()
        assert server.asleep == 2
        await server.reload_weights(tmp_path / "student")
        assert not server.asleep and server.model == tmp_path / "student"
        await server.sleep()
        await server.wake()
    once = ["/sleep?level=2&mode=wait", "/wake_up?tags=weights", "/collective_rpc", "/wake_up?tags=kv_cache"]
    assert told(server) == [*once, "/update_weight_version"] * 2
    loaded = [line for line in server.log.read_text().splitlines() if line.startswith("told /collective_rpc")]
    assert all(f'"weights_path": "{tmp_path / "student"}"' in line for line in loaded)


async def test_an_adapter_wakes_the_server_it_is_for(tmp_path: Path) -> None:
    """New weights after a training need no other order of the caller."""
    async with fake(tmp_path, lora=True) as server:
        await server.sleep()
        await server.load_adapter("r1", tmp_path / "adapter")
        assert not server.asleep
    assert told(server)[1:] == ["/wake_up", "/v1/load_lora_adapter"]


@pytest.mark.parametrize("dev", [False, True])
async def test_a_stopped_server_comes_back_as_it_was(tmp_path: Path, dev: bool) -> None:
    """At its address, with the weights and adapters it had, and those it was given meanwhile."""
    server = fake(tmp_path, dev=dev, lora=not dev)
    try:
        await server.start()
        address = server.base_url
        if not dev:
            await server.load_adapter("r1", tmp_path / "adapter")
        await server.stop()
        assert not server.alive
        await (server.reload_weights if dev else lambda path: server.load_adapter("r2", path))(
            tmp_path / "adapter"
        )
        await server.start()
        assert server.base_url == address
        lines = server.log.read_text().splitlines()
        starts = [line for line in lines if line.startswith("started ")]
        if dev:
            assert f"--model {tmp_path / 'base'}" in starts[0]
            assert f"--model {tmp_path / 'adapter'}" in starts[1] and not told(server)
        else:
            names = [line.split('"')[3] for line in lines if line.startswith("told /v1/load_lora_adapter")]
            assert names == ["r1", "r1", "r2"]
    finally:
        await server.stop()


async def test_a_refusal_shows_the_servers_log(tmp_path: Path) -> None:
    """What went wrong stands in the log of the server that did it."""
    server = fake(tmp_path, dev=True)
    async with server:
        await server.sleep()
        server.asleep = 1  # the weights are gone, and it is told to go on with them
        await server.wake()
        await server.sleep()
        server._port += 1
        with pytest.raises(
            ServerError, match=r"did not wake up \(POST .*got no answer.*\n.*The end of its log"
        ):
            await server.wake()
        server._port -= 1


async def test_a_server_has_one_owner(tmp_path: Path) -> None:
    """A start waits until the last process of an earlier one is gone; the lock goes with it."""
    first, second = fake(tmp_path), fake(tmp_path)
    await first.start()
    with pytest.raises(ServerError, match="is still there after 0 s"):
        await own(first.log, seconds=0.0)
    waiting = asyncio.create_task(second.start())
    done, _ = await asyncio.wait([waiting], timeout=0.3)
    assert not done and second._process is None, "two servers of one log"
    await first.stop()
    await waiting
    await second.stop()
    await wait_for_all(tmp_path)


def test_sleep_is_allowed_only_where_it_is_planned(tmp_path: Path) -> None:
    """vLLM's CPU build refuses the flag at its start."""
    for sleeps in (False, True):
        args = arguments(
            "gpu", tmp_path, "base", ServerOptions(), 1, lora=False, max_lora_rank=1, sleeps=sleeps
        )
        assert ("--enable-sleep-mode" in args) is sleeps
    assert fake(tmp_path).dev, "the routes of sleep are those of the development mode"


def test_a_server_has_its_own_gpus() -> None:
    """In the order of the bus, which the plan's numbers are of."""
    variables = environment(
        "gpu", ServerOptions(), lora=False, dev=False, gpus=("2", "3"), base={"CUDA_VISIBLE_DEVICES": "0,2,3"}
    )
    assert variables["CUDA_VISIBLE_DEVICES"] == "2,3" and variables["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert "CUDA_DEVICE_ORDER" not in environment(
        "cpu", ServerOptions(), lora=False, dev=False, base=os.environ
    )
