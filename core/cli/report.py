"""`synth report`: the run as one HTML file."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("report")
@click.argument("run", type=click.Path(path_type=Path))
def command(run: Path) -> None:
    """Write RUN/report.html from whatever the run holds by now.

    \b
    synth report runs/stat
    """
    from synth.report import write_report

    click.echo(write_report(run))
