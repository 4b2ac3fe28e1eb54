"""`synth explain`: a sample's whole ancestry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from synth.cli.story import ancestry, call_steps, headline, line, plain, texts

if TYPE_CHECKING:
    from rich.console import RenderableType

    from synth.runs.explain import Explanation


@click.command("explain")
@click.argument("sample")
@click.option("--run", required=True, type=click.Path(path_type=Path), help="The run it is in.")
@click.option("--full", is_flag=True, help="Print prompts and replies whole.")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON, whole.")
def command(sample: str, run: Path, full: bool, as_json: bool) -> None:
    """Tell how SAMPLE came to be: from its seed through every call with prompt and reply to the verdicts.

    The beginning of an id is enough; that of a refused sample or seed will do too.

    \b
    synth explain 3f9a --run runs/spar
    synth explain 3f9a --run runs/spar --full
    synth explain 3f9a1c20d4b7e658 --run runs/spar --json
    """
    from synth.runs.explain import explain

    told = explain(run, sample)
    if as_json:
        click.echo(told.model_dump_json(indent=2))
        return
    from rich.console import Console

    console = Console()
    for part in _parts(told, full):
        console.print(part, highlight=False)


def _parts(told: Explanation, full: bool) -> Iterator[RenderableType]:
    story = told.story
    yield plain(headline(story), style="bold")
    if story.origins:
        yield ancestry(story.origins)
    for ancestor in told.ancestors:
        yield line("ancestor", f"{ancestor.id} of {ancestor.where}")
        yield from call_steps(ancestor.steps, full)
    if told.guessed:
        yield line("calls", "found by the text they quote; a refused seed has no lineage")
    yield from call_steps(told.steps, full)
    if story.sample is not None:
        yield from texts(story.sample)
    for rejection in story.rejections:
        if rejection.raw:
            yield line("refused text", rejection.reason)
            yield plain(rejection.raw)
    yield line("outcome", "")
    yield from (plain(sentence) for sentence in told.outcome)
