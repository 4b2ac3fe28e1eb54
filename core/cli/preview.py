"""`synth preview`: what a flow makes, before it is let loose."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from synth.cli.completing import profiles
from synth.cli.story import call_steps, line, texts

if TYPE_CHECKING:
    from rich.console import RenderableType

    from synth.preview import Preview


@click.command("preview")
@click.argument("flow", type=click.Path(path_type=Path))
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a value first.")
@click.option("--profile", shell_complete=profiles, help="Overlay a profile of the flow file first.")
@click.option(
    "-n", "number", type=click.IntRange(min=1), default=3, show_default=True, help="Samples to make."
)
@click.option("--full", is_flag=True, help="Print prompts and replies whole.")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON, whole.")
@click.option("--quiet", is_flag=True, help="No progress.")
def command(
    flow: Path,
    overrides: tuple[str, ...],
    profile: str | None,
    number: int,
    full: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Make a few samples with FLOW and show every prompt and reply; nothing is kept.

    The flow file's own models are asked: local ones are started, endpoints called. Exits with 1
    if no sample came of it.

    \b
    synth preview flows/stat.yaml
    synth preview flows/spar.yaml -n 1 --full
    """
    from synth.flowfiles import load

    loaded = load(flow, overrides, profile)
    from synth.engine.tuning import run_loop
    from synth.preview import preview
    from synth.progress import make_progress

    os.environ["LANGSMITH_TRACING"] = os.environ["LANGCHAIN_TRACING_V2"] = "false"
    with make_progress(quiet or as_json) as progress:
        found = run_loop(preview(loaded, number, progress))
    if as_json:
        click.echo(found.model_dump_json(indent=2))
    else:
        from rich.console import Console

        console = Console()
        for part in _parts(found, full):
            console.print(part, highlight=False)
    if not found.samples:
        sys.exit(1)


def _parts(found: Preview, full: bool) -> Iterator[RenderableType]:
    from rich.rule import Rule
    from rich.text import Text

    if found.others:
        yield Rule("calls behind no single sample, one an agent")
        yield from call_steps(found.others[::-1], full)
    for number, made in enumerate(found.samples, 1):
        yield Rule(f"sample {number} of {len(found.samples)}")
        yield from call_steps(made.steps, full)
        yield from texts(made.sample)
        for verdict in made.sample.verdicts:
            yield line("verdict", f"{verdict.name} {verdict.value} (by {verdict.by})")
    yield Rule()
    drops = ", ".join(f"{reason} {count}" for reason, count in found.drops.items()) or "nothing"
    kept = f"{len(found.samples)} samples" if found.samples else "No sample"
    yield Text(f"{kept} from {found.seeds} seeds a stage; dropped on the way: {drops}. Nothing was kept.")
