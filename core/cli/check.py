"""`synth check`: is this flow file, or this night file, fit to run?"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import asdict
from pathlib import Path

import click

from synth.cli.completing import profiles
from synth.errors import ConfigError
from synth.flowfiles import load


@click.command("check")
@click.argument("flow", type=click.Path(path_type=Path))
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a value first.")
@click.option("--profile", shell_complete=profiles, help="Overlay a profile of the flow file first.")
@click.option("--json", "as_json", is_flag=True, help="Print the problems as JSON, for editors.")
def command(flow: Path, overrides: tuple[str, ...], profile: str | None, as_json: bool) -> None:
    """Check FLOW: keys, types, data files, models and programs. Starts nothing.

    Of the file of a night (docs/nightly.md) all its flows are checked.

    \b
    synth check flows/stat.yaml
    synth check flows/stat.yaml --profile gpu-80gb
    synth check flows/stat.yaml --json
    """
    try:
        if not overrides and not profile and _is_night(flow):
            found = _check_night(flow)
        else:
            found = _check(flow, overrides, profile)
    except ConfigError as error:
        if not as_json:
            raise
        click.echo(
            json.dumps({"ready": False, "problems": [asdict(one) for one in error.problems]}, indent=2)
        )
        sys.exit(error.exit_code)
    click.echo(json.dumps({"ready": True, "problems": []}, indent=2) if as_json else found)


def _check(flow: Path, overrides: tuple[str, ...], profile: str | None) -> str:
    loaded = load(flow, overrides, profile)
    roles = ", ".join(f"{role}: {spec.where}" for role, spec in loaded.flow.models.items())
    return f"{flow}: ready to run ({loaded.flow.flow}; {roles})"


def _is_night(path: Path) -> bool:
    """Whether the file has the key that only the file of a night has."""
    try:
        return re.search(r"^flows\s*:", path.read_text(encoding="utf-8"), re.MULTILINE) is not None
    except (OSError, ValueError):
        return False


def _check_night(path: Path) -> str:
    from synth.nightly import read_flow, read_night

    night = read_night(path)
    for turn in night.flows:
        read_flow(night, path, turn, load)
    return f"{path}: ready to run (a night of {', '.join(turn.flow for turn in night.flows)})"
