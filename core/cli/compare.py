"""`synth compare`: arms side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.table import Table

    from synth.measure.compare import Comparison, Difference


@click.command("compare")
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN...", type=click.Path(path_type=Path))
@click.option(
    "--metric",
    type=click.Choice(["accuracy", "strict_accuracy", "score"]),
    help="By default that of the first run's gate.",
)
@click.option("--round", "number", type=click.IntRange(min=1), help="By default each run's last.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(runs: tuple[Path, ...], metric: str | None, number: int | None, as_json: bool) -> None:
    """Compare the students of RUNs on the same held-out items, each with the first.

    Runs that differ in nothing but seeds are one arm. P-values are adjusted for the number of
    arms (Holm).

    \b
    synth compare runs/stat runs/stat-control-uniform
    synth compare runs/seed-*  runs/uniform-seed-* --json
    """
    from synth.measure.compare import compare

    if len(runs) < 2:
        raise click.UsageError("name at least two runs, such as: synth compare runs/a runs/b")
    found = compare(runs, metric, number)  # type: ignore[arg-type]
    if as_json:
        click.echo(found.model_dump_json(indent=2))
        return
    from rich.console import Console

    console = Console()
    console.print(f"{found.items} held-out items, {found.metric}", highlight=False)
    console.print(_arms(found))
    if len(found.runs) > len(found.arms):
        console.print(_runs(found))
    for one in found.forecasts:
        console.print(one.said, highlight=False)
    for warning in found.warnings:
        console.print(f"warning: {warning}", highlight=False, markup=False)


def _arms(found: Comparison) -> Table:
    from rich.markup import escape

    from synth.cli.tables import lined
    from synth.figures import compact, level

    table = lined("arm")
    for heading in ("runs", "before", "after", "trained on", "against first", "p", "p (Holm)"):
        table.add_column(heading, justify="right")
    for arm in found.arms:
        tokens = "?" if arm.train_tokens is None else compact(arm.train_tokens)
        figures = (level(arm.before, found.metric), level(arm.after, found.metric), tokens)
        table.add_row(escape(arm.arm), str(len(arm.runs)), *figures, *_against(arm.against_first, found))
    tests = dict.fromkeys(arm.against_first.test for arm in found.arms if arm.against_first)
    table.caption = f"{'; '.join(tests)}; intervals 95 %" if tests else None
    return table


def _against(difference: Difference | None, found: Comparison) -> tuple[str, str, str]:
    from synth.figures import probability, shift

    if difference is None:
        return "", "", ""
    low, high = (shift(end, found.metric) for end in (difference.interval.low, difference.interval.high))
    said = f"{shift(difference.difference, found.metric)} ({low} to {high})"
    if difference.gained is not None:
        said += f"\n{difference.gained} better, {difference.lost} worse"
    return said, probability(difference.p_value, ""), probability(difference.p_holm, "")


def _runs(found: Comparison) -> Table:
    from rich.markup import escape

    from synth.cli.tables import lined
    from synth.figures import compact, level

    table = lined("run", "arm")
    for heading in ("seed", "round", "before", "after", "trained on"):
        table.add_column(heading, justify="right")
    for run in found.runs:
        tokens = "?" if run.train_tokens is None else compact(run.train_tokens)
        levels = (level(run.change.before, found.metric), level(run.change.after, found.metric))
        table.add_row(escape(run.run), escape(run.arm), str(run.seed), str(run.round), *levels, tokens)
    return table
