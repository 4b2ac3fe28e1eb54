"""`synth plan`: what a run will take, before it begins."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path

import click

from synth.cli.completing import profiles
from synth.flowfiles import load, run_name


@click.command("plan")
@click.argument("flow", type=click.Path(path_type=Path))
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a value first.")
@click.option("--profile", shell_complete=profiles, help="Overlay a profile of the flow file first.")
@click.option("--name", help="Name of the run; by default as `synth run` names it.")
@click.option(
    "--runs",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Folder of all runs.",
)
@click.option(
    "--probe",
    type=click.IntRange(min=0),
    default=8,
    show_default=True,
    help="Seeds of each stage to ask for real; 0 asks nobody and reckons with token limits.",
)
@click.option(
    "--rate",
    "stated",
    multiple=True,
    metavar="[ROLE=]N",
    help="Tokens a second that one server generates with all its calls in flight, of a role or of all.",
)
@click.option(
    "--train-rate", type=click.FloatRange(min=0, min_open=True), help="Tokens a second of training."
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.option("--quiet", is_flag=True, help="Print the plan alone.")
def command(
    flow: Path,
    overrides: tuple[str, ...],
    profile: str | None,
    name: str | None,
    runs: Path,
    probe: int,
    stated: tuple[str, ...],
    train_rate: float | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Say what a run of FLOW will take: calls, tokens, time, money.

    A few real calls measure each stage. They go into the run's own journal, so the run does
    not pay again for those it makes as well. Where nobody can be asked yet, --rate and
    --train-rate give the hours from speeds that you know (docs/gpu.md says how to measure them).

    \b
    synth plan flows/stat.yaml
    synth plan flows/stat.yaml --probe 0
    synth plan flows/stat.yaml --profile gpu-80gb --probe 0 --rate 2500 --train-rate 6000
    synth plan flows/stat.yaml --rate student=9000 --rate teacher=2500 --json
    """
    loaded = load(flow, overrides, profile)
    generated = _rates(stated, loaded.flow.models)
    from synth.engine.folder import RunFolder
    from synth.engine.tuning import run_loop
    from synth.plan import Rates
    from synth.probe import plan_run
    from synth.progress import make_progress

    folder = RunFolder(runs / (name or run_name(loaded, overrides, profile)))
    os.environ["LANGSMITH_TRACING"] = os.environ["LANGCHAIN_TRACING_V2"] = "false"
    with make_progress(quiet or as_json) as progress:
        plan = run_loop(plan_run(loaded, folder, probe, progress, Rates(generated, train_rate)))
    if as_json:
        click.echo(plan.model_dump_json(indent=2))
        return
    from rich.console import Console

    from synth.cli.plan_table import plan_tables

    console = Console()
    for part in plan_tables(plan):
        console.print(part)
    if probe:
        console.print(f"The probe's calls are in {folder.journal}.", highlight=False)


def _rates(stated: Sequence[str], roles: Collection[str]) -> dict[str, float]:
    """Role (or "" for all) -> tokens a second of one of its servers."""
    rates: dict[str, float] = {}
    for text in stated:
        role, _, number = text.rpartition("=")
        if role and role not in roles:
            raise click.BadParameter(f"there is no role {role!r}; there are: {', '.join(roles)}")
        try:
            rates[role] = float(number)
        except ValueError:
            rates[role] = 0.0
        if rates[role] <= 0:
            raise click.BadParameter(f"{text!r} is no number of tokens a second; write --rate teacher=2500")
    return rates
