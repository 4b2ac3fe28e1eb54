"""`synth worker`: one more process for a run that is under way."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal

import click


@click.command("worker")
@click.argument("store")
@click.option("--name", help="Name of this worker; by default host and process.")
@click.option("--bound", type=int, hidden=True, help="End with this process, which started this one.")
def command(store: str, name: str | None, bound: int | None) -> None:
    """Work on the shards of the run whose store is STORE, until its head sends the workers home.

    \b
    synth worker runs/stat/scale
    synth worker s3://bucket/runs/stat

    STORE is what `synth run --executor local --workers 0` says. A worker keeps nothing: any number may be
    started, on any machine that reaches the store and the model servers, and killed at any time.
    """
    from synth.engine.tuning import run_loop
    from synth.scale.worker import work

    if bound:
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
        if os.getppid() != bound:
            return
    os.environ["LANGSMITH_TRACING"] = os.environ["LANGCHAIN_TRACING_V2"] = "false"

    async def run() -> None:
        task = asyncio.current_task()
        assert task is not None
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        say = lambda text: click.echo(text, err=True)  # noqa: E731
        await work(store, name or f"{os.uname().nodename}-{os.getpid()}", say)

    try:
        run_loop(run())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
