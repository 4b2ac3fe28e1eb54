"""`synth audit`: the receipt of a run."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import click


@click.command("audit")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(run: Path, as_json: bool) -> None:
    """Count what RUN paid, replayed, repeated, lost and duplicated. Exits with 1 if it is not sound.

    \b
    synth audit runs/stat
    synth audit runs/stat --json
    """
    from synth.runs.audit import Audit, audit
    from synth.scale.merge import whole

    with whole(run) as journal:
        receipt = audit(run, journal)
    if as_json:
        click.echo(receipt.model_dump_json(indent=2))
    else:
        for name, field in Audit.model_fields.items():
            meaning = textwrap.wrap(" ".join((field.description or "").split()), 80)
            click.echo(f"{name:<11}{getattr(receipt, name):>12,}  {meaning[0]}")
            for line in meaning[1:]:
                click.echo(f"{'':<25}{line}")
    if not receipt.sound:
        sys.exit(1)
