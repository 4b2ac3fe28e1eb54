"""`synth run`: a flow from its first call to the gate's decision."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import click

from synth.cli.flowfiles import load, run_name


@click.command("run")
@click.argument("flow", type=click.Path(path_type=Path))
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a value, e.g. with.arm=control-uniform.",
)
@click.option("--profile", help="Overlay a profile of the flow file, e.g. gpu.")
@click.option("--name", help="Name of the run; by default from the flow file and what is overridden.")
@click.option(
    "--runs",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Folder of all runs.",
)
@click.option("--fresh", is_flag=True, help="Start anew: what the run holds so far is deleted.")
@click.option(
    "--replay",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="RUN",
    help="Take every reply from the folder of this run: no model, no server, no network.",
)
@click.option("--quiet", is_flag=True, help="Print the result alone.")
def command(
    flow: Path,
    overrides: tuple[str, ...],
    profile: str | None,
    name: str | None,
    runs: Path,
    fresh: bool,
    replay: Path | None,
    quiet: bool,
) -> None:
    """Run FLOW, or go on where it stopped.

    \b
    synth run flows/stat.yaml
    synth run flows/stat.yaml --set with.arm=control-uniform
    synth run flows/stat.yaml --profile gpu --name night-1
    synth run flows/stat.yaml --replay runs/stat

    A replay is a run of its own, by default NAME-replay. It stops at the first call, or the first
    training, that RUN does not have; without --replay (and with --name NAME-replay) it then goes
    on with models, and pays only for what is new.
    """
    if replay is not None:
        os.environ["HF_HUB_OFFLINE"] = "1"
    loaded = load(flow, overrides, profile, offline=replay is not None)
    from synth.engine.folder import RunFolder
    from synth.engine.tuning import run_loop
    from synth.progress import make_progress
    from synth.rounds.loop import run

    suffix = "-replay" if replay else ""
    folder = RunFolder(runs / (name or run_name(loaded, overrides, profile) + suffix))
    # Nothing in this process may send what it does anywhere.
    os.environ["LANGSMITH_TRACING"] = os.environ["LANGCHAIN_TRACING_V2"] = "false"

    async def work() -> None:
        task = asyncio.current_task()
        assert task is not None
        for name in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(name, task.cancel)
        with make_progress(quiet) as progress:
            decisions = await run(loaded, folder, progress, fresh=fresh, replay=replay)
        for number, decision in enumerate(decisions, 1):
            click.echo(f"round {number}: {decision.decision}: {decision.reason}")
        click.echo(f"report: {folder.path / 'report.html'}")

    try:
        run_loop(work())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
