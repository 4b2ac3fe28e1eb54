"""The scripted server as a process of its own, so that its CPU time is not the client's."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

__all__ = ["restart_after", "scripted_server", "server_process"]

ROOT = Path(__file__).parent.parent


@contextlib.asynccontextmanager
async def server_process(*arguments: str) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """Start `tests.support.openai_server`; yields its base URL and its process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.openai_server",
        "--port",
        "0",
        *arguments,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        port = int((await process.stdout.readline()).decode())
        yield f"http://127.0.0.1:{port}/v1", process
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


@contextlib.asynccontextmanager
async def scripted_server(*arguments: str) -> AsyncIterator[str]:
    """Start `tests.support.openai_server`; yields its base URL."""
    async with server_process(*arguments) as (base_url, _):
        yield base_url


async def restart_after(process: asyncio.subprocess.Process, seconds: float, away: float) -> None:
    """Have the server go away after `seconds` for `away` seconds, as a restart does."""
    await asyncio.sleep(seconds)
    process.send_signal(signal.SIGUSR1)
    await asyncio.sleep(away)
    process.send_signal(signal.SIGUSR2)
