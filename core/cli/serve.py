"""`synth serve`: a run's champion, or any model, behind an OpenAI-compatible address."""

from __future__ import annotations

import asyncio
import json

import click


@click.command("serve")
@click.argument("model")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Port to use.")
@click.option("--round", "number", type=click.IntRange(min=1), help="Of a run: which round's student.")
@click.option("--name", help="Name to serve it under; by default made from MODEL.")
def command(model: str, port: int, number: int | None, name: str | None) -> None:
    """Serve MODEL with vLLM on this machine until Ctrl-C.

    MODEL is a run, whose champion is served, or an alias, a hub id or a folder. Only this machine can
    reach the address.

    \b
    synth serve runs/stat
    synth serve runs/stat --round 2 --port 8100
    synth serve smollm2-135m --name assistant
    """
    try:
        asyncio.run(_serve(model, port, number, name))
    except KeyboardInterrupt:
        click.echo("stopped")


async def _serve(model: str, port: int, number: int | None, name: str | None) -> None:
    from synth.measure.served import served, who_is
    from synth.progress import make_progress

    who = await who_is(model, number)
    with make_progress(quiet=False) as progress:
        async with served(who, port, name, progress) as up:
            click.echo(f"{up.title} is served as {up.name} at {up.server.base_url} (Ctrl-C ends it)\n")
            click.echo(_example(up.server.base_url, up.name))
            await up.server.watch()


def _example(base_url: str, name: str) -> str:
    """A call to copy."""
    body = {"model": name, "messages": [{"role": "user", "content": "What is 2 + 2?"}], "max_tokens": 64}
    return (
        f"curl {base_url}/chat/completions -H 'Content-Type: application/json' \\\n  -d '{json.dumps(body)}'"
    )
