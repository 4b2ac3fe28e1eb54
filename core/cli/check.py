"""`synth check`: is this flow file fit to run?"""

from __future__ import annotations

from pathlib import Path

import click

from synth.cli.flowfiles import load


@click.command("check")
@click.argument("flow", type=click.Path(path_type=Path))
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a value first.")
@click.option("--profile", help="Overlay a profile of the flow file first.")
def command(flow: Path, overrides: tuple[str, ...], profile: str | None) -> None:
    """Check FLOW: keys, types, data files, models and programs. Starts nothing.

    \b
    synth check flows/stat.yaml
    synth check flows/stat.yaml --profile gpu
    """
    loaded = load(flow, overrides, profile)
    roles = ", ".join(
        f"{role}: {spec.program or spec.base_url or spec.model}" for role, spec in loaded.flow.models.items()
    )
    click.echo(f"{flow}: ready to run ({loaded.flow.flow}; {roles})")
