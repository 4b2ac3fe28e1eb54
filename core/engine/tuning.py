"""Settings of the process that runs graphs by the thousand."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import resource
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

__all__ = ["many_connections", "quiet_gc", "run_loop"]

T = TypeVar("T")


def run_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end on uvloop's event loop, which takes a sixth off a call's cost."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def quiet_gc() -> None:
    """Make the cyclic collector rare: with thousands of graphs alive it would walk them all
    again and again, and halve the throughput; little of what graphs make is cyclic."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def many_connections() -> None:
    """Allow as many open files as the machine does: each call in flight is one connection."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
