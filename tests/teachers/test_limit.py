"""Concurrency finds its own level: from answers a second, from refusals, from vLLM's queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush

import pytest

from synth.chat import Request
from synth.records import Sampling
from synth.teachers import limit as limit_module
from synth.teachers import retry
from synth.teachers.http import HttpEndpoint
from synth.teachers.limit import Limit
from synth.teachers.pressure import Pressure
from synth.teachers.vllm_control import metrics
from tests.support.openai_server import ScriptedServer


async def load(endpoint: HttpEndpoint, calls: int, graphs: int) -> list[int]:
    """Make calls, `graphs` of them wanting a place at any time; the gate's width after each."""
    numbers = iter(range(calls))
    widths: list[int] = []

    async def graph() -> None:
        for number in numbers:
            asked = Request([{"role": "user", "content": str(number)}], Sampling(max_tokens=8))
            await endpoint.chat(asked, "scripted", 1, 0, str(number))
            widths.append(endpoint.width)

    await asyncio.gather(*(graph() for _ in range(graphs)))
    return widths


def simulate(gate: Limit, clock: list[float], seconds: Callable[[int], float], calls: int) -> list[int]:
    """The gate under a clock of its own: always more wanted than it lets through; `seconds(in
    flight)` is how long a call takes that is sent at that moment. The width after each call."""
    flying: list[tuple[float, float]] = []
    widths = []
    gate._waiting.extend(asyncio.get_running_loop().create_future() for _ in range(calls + 9000))
    gate._wake()
    for _ in range(calls):
        while len(flying) < gate.in_flight:
            heappush(flying, (clock[0] + seconds(len(flying) + 1), clock[0]))
        clock[0], sent = heappop(flying)
        gate.leave(sent, "answered")
        widths.append(gate.width)
    return widths


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The gate's clock, moved by the test."""
    now = [0.0]
    monkeypatch.setattr(limit_module.time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize("capacity", [4, 64, 700])
async def test_it_finds_a_servers_places_from_answers_a_second(clock: list[float], capacity: int) -> None:
    """Told nothing, it comes to the width beyond which more calls only wait longer."""
    widths = simulate(Limit(), clock, lambda flying: max(1.0, flying / capacity), 40 * capacity + 4000)
    settled = widths[len(widths) // 2 :]
    assert 0.9 * capacity <= sum(settled) / len(settled) <= 1.5 * capacity + 2
    assert min(settled) >= 0.66 * capacity


async def test_it_follows_a_server_that_gets_slower_and_faster(clock: list[float]) -> None:
    """A level once found is not kept for ever."""
    gate, places = Limit(), [400]
    seconds = lambda flying: max(1.0, flying / places[0])  # noqa: E731
    before = simulate(gate, clock, seconds, 12_000)[-1]
    places[0] = 100
    narrow = simulate(gate, clock, seconds, 20_000)[-1]
    places[0] = 400
    after = simulate(gate, clock, seconds, 60_000)[-1]
    assert narrow < 0.6 * before
    assert after > 1.5 * narrow


async def test_it_finds_64_places_over_real_http() -> None:
    """The same with sockets, noise and all; the bounds leave room for a busy machine."""
    async with ScriptedServer(latency=0.1, capacity=64, reply=lambda messages, body: "4") as server:
        endpoint = HttpEndpoint(server.base_url)
        widths = await load(endpoint, 1000, 300)
        await endpoint.aclose()
    assert 24 <= sorted(widths[500:])[250] <= 160


async def test_it_gives_way_to_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that answers 429 beyond 64 calls gets about 64, and no call is lost."""
    monkeypatch.setattr(retry, "_backoff", lambda policy, tries: 0.02)
    async with ScriptedServer(
        latency=0.1, capacity=64, overload="429", reply=lambda messages, body: "4"
    ) as server:
        endpoint = HttpEndpoint(server.base_url)
        widths = await load(endpoint, 1000, 300)
        await endpoint.aclose()
    late = server.log.entries[len(server.log.entries) // 2 :]
    refused = sum(entry.status == 429 for entry in late)
    assert 24 <= sorted(widths[500:])[250] <= 90
    assert refused < 0.25 * len(late)


async def test_a_vllm_queue_sets_the_width() -> None:
    """Where the server tells of its queue, the gate holds it just above empty."""
    async with ScriptedServer(latency=0.1, capacity=64, reply=lambda messages, body: "4") as server:
        endpoint = HttpEndpoint(server.base_url)
        watch = Pressure(endpoint.limit, partial(metrics, endpoint.base_url.removesuffix("/v1")), every=0.07)
        watch.start()
        widths = await load(endpoint, 1000, 300)
        await watch.aclose()
        await endpoint.aclose()
    assert 32 <= sorted(widths[500:])[250] <= 110
    assert server.load.peak_running == 64


async def test_a_queueless_server_that_gets_slow_is_not_given_more() -> None:
    """A batch that takes ever longer ends in time-outs: the gate stops before, queue or no queue."""
    idle = {
        "num_requests_running": 16.0,
        "num_requests_waiting": 0.0,
        "kv_cache_usage_perc": 0.1,
        "num_preemptions": 0.0,
    }
    gate = Limit()
    gate._waiting.append(asyncio.get_running_loop().create_future())
    watch = Pressure(gate, dict, longest=30.0)  # type: ignore[arg-type]
    watch.look(idle)
    assert gate.width == 16, "nothing came back yet: too early to ask for more"
    gate.seconds = 29.0
    watch.look(idle)
    assert gate.width == 32
    gate.seconds = 31.0
    watch.look(idle)
    assert gate.width == 32
    gate.seconds = 61.0
    watch.look(idle)
    assert gate.width == 25


def test_pressure_reads_a_servers_state_in_one_look() -> None:
    """A long queue brings the width down at once; a full cache holds it; a preemption narrows it."""

    def after(running: int, waiting: int, cache: float = 0.5, *preempted: int) -> int:
        gate = Limit()
        gate.width = 256
        watch = Pressure(gate, dict)  # type: ignore[arg-type]
        for count in preempted or (0,):
            watch.look(
                {
                    "num_requests_running": running,
                    "num_requests_waiting": waiting,
                    "kv_cache_usage_perc": cache,
                    "num_preemptions": count,
                }
            )
        return gate.width

    assert after(64, 192) == 72
    assert after(250, 6) == 256
    assert after(256, 0, 0.95) == 256
    assert after(256, 0, 0.5, 3, 4) == 204
    assert after(0, 200) == 256, "a paused server says nothing about its width"


async def test_a_pinned_width_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """`concurrency: 8` is eight calls in flight, whatever the server says."""
    async with ScriptedServer(faults={"503": 0.4}, reply=lambda messages, body: "4") as server:
        endpoint = HttpEndpoint(server.base_url, concurrency=8)
        endpoint.limit.scale(2)
        assert endpoint.width == 8
        monkeypatch.setattr(retry, "_backoff", lambda policy, tries: 0.01)
        await load(endpoint, 100, 20)
        assert endpoint.width == 8
        await endpoint.aclose()


async def test_it_recovers_after_refusals(clock: list[float]) -> None:
    """A bad minute narrows the gate to a few calls; afterwards it widens again by itself."""
    gate = Limit()
    simulate(gate, clock, lambda flying: 1.0, 3000)
    wide = gate.width
    for _ in range(4000):
        clock[0] += 0.001
        sent, gate.in_flight = clock[0], gate.in_flight + 1
        gate.leave(sent, "refused")
    narrow = gate.width
    assert 1 <= narrow < 0.1 * wide
    assert simulate(gate, clock, lambda flying: 1.0, 20_000)[-1] > 10 * narrow


async def test_nobody_starves() -> None:
    """Places go round in order of asking, through narrowing and through callers that leave."""
    gate = Limit()
    served: list[int] = []

    async def caller(number: int) -> None:
        await gate.enter()
        await asyncio.sleep(0)
        served.append(number)
        gate.scale(0.5 if number % 3 else 2)
        gate.leave(float("inf"), "failed")

    callers = [asyncio.create_task(caller(number)) for number in range(200)]
    await asyncio.sleep(0)
    for gone in callers[20:200:7]:
        gone.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    assert served == sorted(served)
    assert len(served) == 200 - len(range(20, 200, 7))
    assert gate.in_flight == gate.queued == 0
