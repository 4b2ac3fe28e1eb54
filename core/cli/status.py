"""`synth status`: how far a run is."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("status")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
def command(run: Path, as_json: bool) -> None:
    """Show how far RUN is: stages, tokens, drops, decisions.

    \b
    synth status runs/stat
    synth status runs/stat --json
    """
    from synth.runs.summary import summarize

    summary = summarize(run)
    if as_json:
        click.echo(summary.model_dump_json(indent=2))
        return
    from rich.console import Console

    from synth.cli.tables import status_tables

    console = Console()
    for part in status_tables(summary):
        console.print(part)
