"""`synth new`: a project folder that runs at once."""

from __future__ import annotations

from pathlib import Path

import click

FLOWS = ("stat", "spar", "delta", "drift", "agentinstruct")


@click.command("new")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--flow", type=click.Choice(FLOWS), default="stat", show_default=True, help="The method.")
def command(folder: Path, flow: str) -> None:
    """Make the folder DIR with a flow file that runs at once, a README, and data to replace by your own.

    A folder that has something in it is left alone.

    \b
    synth new my-project
    synth new my-pairs --flow delta
    """
    from synth.project import make_project

    for path in make_project(folder, flow):
        click.echo(f"wrote {path}")
    click.echo(f"next: cd {folder} && synth check flow.yaml && synth run flow.yaml")
