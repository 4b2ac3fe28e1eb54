"""`synth nightly`: one self-play night, and the timer that starts it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from synth.flowfiles import load

if TYPE_CHECKING:
    from synth.nightly import Summary


@click.command("nightly")
@click.argument("file", metavar="NIGHTLY", type=click.Path(path_type=Path))
@click.option(
    "--nights",
    type=click.Path(path_type=Path),
    default=Path("nights"),
    show_default=True,
    help="Folder of all nights, one folder a night file.",
)
@click.option("--install", type=click.Choice(["systemd", "cron"]), help="Show what starts it every night.")
@click.option("--at", default="02:00", show_default=True, metavar="HH:MM", help="When, with --install.")
@click.option("--yes", is_flag=True, help="With --install: write it, too.")
@click.option("--quiet", is_flag=True, help="Print the summary alone.")
def command(file: Path, nights: Path, install: str | None, at: str, yes: bool, quiet: bool) -> None:
    """Run one night of NIGHTLY, or go on with the one that was stopped.

    \b
    synth nightly flows/nightly.yaml
    synth nightly flows/nightly.yaml --install systemd --at 01:30
    synth nightly flows/nightly.yaml --install cron --yes

    Exit codes: 0 a new champion, 3 nothing better, 4 a limit reached, 1 a flow failed,
    5 another process has these nights, 2 a faulty file, 130 interrupted.
    """
    from synth.nightly import read_night

    night = read_night(file)
    if install:
        _install(install, file, nights, at, yes)
        return
    from synth.engine.tuning import run_loop
    from synth.nightly import run_night
    from synth.progress import make_progress

    os.environ["LANGSMITH_TRACING"] = os.environ["LANGCHAIN_TRACING_V2"] = "false"
    ended: list[Summary] = []

    async def work() -> None:
        task = asyncio.current_task()
        assert task is not None
        for name in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(name, task.cancel)
        with make_progress(quiet) as progress:
            ended.append(await run_night(night, file, nights / str(night.name), load, progress))

    try:
        run_loop(work())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    click.echo((nights / str(night.name) / "summary.md").read_text(encoding="utf-8"), nl=False)
    sys.exit(ended[0].exit_code)


def _install(kind: str, file: Path, nights: Path, at: str, yes: bool) -> None:
    """Show it; write it only when told to."""
    from synth.nightly.schedule import cron_line, install_cron, install_units, units

    if kind == "cron":
        line = cron_line(file, nights, at)
        click.echo(line)
        if yes:
            install_cron(line)
            click.echo("added to your crontab")
    else:
        files = units(file, nights, at)
        for path, text in files.items():
            click.echo(f"# {path}\n{text}")
        if yes:
            click.echo(f"written; now run: {install_units(files)}")
    if not yes:
        click.echo("nothing was written; add --yes to write it")
