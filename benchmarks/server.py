"""The scripted server as a process of its own, so that its CPU time is not the client's."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

__all__ = ["scripted_server"]

ROOT = Path(__file__).parent.parent


@contextlib.asynccontextmanager
async def scripted_server(*arguments: str) -> AsyncIterator[str]:
    """Start `tests.support.openai_server`; yields its base URL."""
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
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()
