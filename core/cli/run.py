"""`synth run`: a flow from its first call to the gate's decision."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import click

from synth.cli.completing import profiles
from synth.flowfiles import load, run_name


@click.command("run")
@click.argument("flow", type=click.Path(path_type=Path))
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a value, e.g. with.arm=control-uniform.",
)
@click.option("--profile", shell_complete=profiles, help="Overlay a profile of the flow file, e.g. gpu.")
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
@click.option(
    "--executor",
    type=click.Choice(["local", "ray"]),
    help="Have workers generate: processes here, or actors of Ray.",
)
@click.option("--workers", type=click.IntRange(0), default=2, show_default=True, help="0: started elsewhere.")
@click.option("--address", help="Address of a Ray cluster; by default one is started here.")
@click.option("--store", help="Folder or URL where workers meet; by default in the run's folder.")
@click.option("--shard", type=click.IntRange(1), help="Seeds a shard; by default by their number.")
@click.option(
    "--lease",
    type=click.FloatRange(8),
    default=30.0,
    show_default=True,
    help="Seconds after which a silent worker's shards are given to others.",
)
@click.option("--mirror", metavar="URL", help="Keep a copy of the run there, to go on from elsewhere.")
@click.option("--quiet", is_flag=True, help="Print the result alone.")
def command(
    flow: Path,
    overrides: tuple[str, ...],
    profile: str | None,
    name: str | None,
    runs: Path,
    fresh: bool,
    replay: Path | None,
    executor: str | None,
    workers: int,
    address: str | None,
    store: str | None,
    shard: int | None,
    lease: float,
    mirror: str | None,
    quiet: bool,
) -> None:
    """Run FLOW, or go on where it stopped.

    \b
    synth run flows/stat.yaml
    synth run flows/stat.yaml --set with.arm=control-uniform
    synth run flows/stat.yaml --profile gpu-80gb --name night-1
    synth run flows/stat.yaml --replay runs/stat
    synth run flows/stat.yaml --executor local --workers 4
    synth run flows/stat.yaml --mirror s3://bucket/runs

    A replay is a run of its own, by default NAME-replay. It stops at the first call, or the first
    training, that RUN does not have; without --replay (and with --name NAME-replay) it then goes
    on with models, and pays only for what is new.
    """
    if replay is not None:
        os.environ["HF_HUB_OFFLINE"] = "1"
    loaded = load(flow, overrides, profile, offline=replay is not None)
    from synth.api import execute
    from synth.engine.tuning import run_loop
    from synth.progress import make_progress

    suffix = "-replay" if replay else ""
    scale = None
    if executor is not None:
        if replay is not None:
            raise click.UsageError("a replay asks nobody, so it has no use for workers: leave --executor out")
        from synth.scale import Scale

        scale = Scale(executor, workers, address, store, shard, lease)
    folder = runs / (name or run_name(loaded, overrides, profile) + suffix)

    async def work() -> None:
        task = asyncio.current_task()
        assert task is not None
        for name in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(name, task.cancel)
        with make_progress(quiet) as progress:
            await execute(loaded, folder, progress, fresh=fresh, replay=replay, scale=scale, mirror=mirror)
        for line in _outcome(folder):
            click.echo(line)

    try:
        run_loop(work())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def _outcome(folder: Path) -> Iterator[str]:
    """What a finished run came to, and where to look at it."""
    from synth.figures import count
    from synth.runs.summary import summarize

    for done in summarize(folder).rounds:
        dropped = f", {count(done.dropped)} dropped" if done.dropped else ""
        yield f"round {done.number}: {count(done.samples)} samples kept{dropped}"
        if done.decision is not None:
            yield f"round {done.number}: {done.decision.decision}: {done.decision.reason}"
    yield f"report: {folder / 'report.html'} (live, with every record: synth view {folder})"
