"""`synth view`: a run in the browser, live."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import click


@click.command("view")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port; by default a free one.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
def command(run: Path, port: int, no_browser: bool) -> None:
    """Show RUN in the browser: its report, every record, a search; while it goes on, too. Ctrl-C ends it.

    Only this machine can reach the address.

    \b
    synth view runs/stat
    synth view runs/stat --port 8765 --no-browser
    """
    from synth.errors import RunError

    if not (run / "flow.yaml").is_file() and not (run / "journal.db").is_file():
        raise RunError(
            f"reading the run in {run}: there is neither a flow.yaml nor a journal.db",
            "Name a folder that `synth run` made, such as runs/NAME.",
        )
    try:
        asyncio.run(_serve(run, port, not no_browser and _has_screen()))
    except KeyboardInterrupt:
        click.echo()


async def _serve(run: Path, port: int, browser: bool) -> None:
    from synth.view import Index, View, serving

    async with serving(View(Index(run)), port) as address:
        click.echo(f"{run} is shown at {address} (Ctrl-C ends it)")
        if browser:
            import webbrowser

            await asyncio.to_thread(webbrowser.open, address)
        await asyncio.Event().wait()


def _has_screen() -> bool:
    """Whether a browser would open in a window, and not in this terminal."""
    return sys.platform != "linux" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
