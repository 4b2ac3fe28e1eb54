"""`synth coverage`: what a run's data cover, and some of them for reading."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from synth.errors import RunError

if TYPE_CHECKING:
    from synth.runs.coverage import Coverage, Covered

HEADINGS = ("skill", "kept", "rejected", "yield", "refined", "alike", "words", "reasons")


@click.command("coverage")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--round", "number", default=1, show_default=True, help="Round to look at.")
@click.option("--types", is_flag=True, help="A line for each type of task, too.")
@click.option("--markdown", is_flag=True, help="Print the table as Markdown.")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
@click.option("--to", type=click.Path(path_type=Path), help="Write samples for reading into this folder.")
@click.option("-n", "each", default=20, show_default=True, help="Samples of each skill, with --to.")
def command(
    run: Path, number: int, types: bool, markdown: bool, as_json: bool, to: Path | None, each: int
) -> None:
    """Show what RUN's data cover: kept and rejected, by skill and type; or write some for reading.

    \b
    synth coverage runs/agentinstruct --types
    synth coverage runs/agentinstruct --to samples -n 20
    """
    if to is not None:
        _write(run, number, each, to)
        return
    from synth.runs.coverage import read_coverage

    covered = read_coverage(run / "rounds" / str(number))
    if covered is None:
        raise RunError(
            f"round {number} of {run} has no coverage.json",
            "name a run of a flow that measures coverage (agentinstruct), and a round that is through",
        )
    if as_json:
        click.echo(covered.model_dump_json(indent=2, by_alias=True))
        return
    rows = list(_rows(covered, types))
    if markdown:
        for row in (HEADINGS, ("---", *["---:"] * 6, "---"), *rows):
            click.echo(f"| {' | '.join(row)} |")
        return
    _print(rows)


def _print(rows: list[tuple[str, ...]]) -> None:
    from rich.console import Console

    from synth.cli.tables import lined

    table = lined()
    for heading in HEADINGS:
        right = heading not in ("skill", "reasons")
        table.add_column(heading, justify="right" if right else "left", no_wrap=heading == "skill")
    for row in rows:
        table.add_row(*row, style="dim" if row[0].startswith("  ") else "")
    Console().print(table)


def _rows(covered: Coverage, types: bool) -> Iterator[tuple[str, ...]]:
    for name, skill in sorted(covered.skills.items()):
        yield _row(name, skill)
        if types:
            yield from (_row(f"  {kind}", part) for kind, part in sorted(skill.types.items()))
    yield _row("all", covered)


def _row(name: str, part: Covered) -> tuple[str, ...]:
    reasons = sorted(part.reasons.items(), key=lambda pair: (-pair[1], pair[0]))
    told = ", ".join(f"{reason} {count:,}" for reason, count in reasons if count)
    share = "" if part.yield_ is None else f"{part.yield_:.0%}"
    counts = (f"{part.kept:,}", f"{part.rejected:,}", share, f"{part.refined:,}")
    return (name, *counts, f"{part.near_duplicates:.0%}", f"{part.words:.0f}", told)


def _write(run: Path, number: int, each: int, folder: Path) -> None:
    from synth.runs.reading import pages

    written = pages(run, each, number)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in written.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    click.echo(f"{len(written)} pages in {folder}")
