"""`synth audit`: the receipt of a run."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command("audit")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(run: Path, as_json: bool) -> None:
    """Count what RUN paid, repeated, lost and duplicated. Exits with 1 if it is not sound.

    \b
    synth audit runs/stat
    synth audit runs/stat --json
    """
    from synth.audit import audit

    receipt = audit(run)
    if as_json:
        click.echo(receipt.model_dump_json(indent=2))
    else:
        for name, value in receipt.model_dump().items():
            click.echo(f"{name:<12}{value:>12,}")
    if not receipt.sound:
        sys.exit(1)
