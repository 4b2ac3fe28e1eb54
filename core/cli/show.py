"""`synth show`: one sample with its story, or a few to choose one from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from synth.cli.story import ancestry, clip, headline, line, plain, texts
from synth.terminal import harmless

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.tree import Tree

    from synth.runs.listing import Listing
    from synth.runs.lookup import Maker, Story
    from synth.runs.trees import SearchTree


@click.command("show")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("sample", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
def command(run: Path, sample: str | None, as_json: bool) -> None:
    """Show SAMPLE of RUN: its texts, verdicts, calls, ancestry, and its search tree if it has one.

    Without SAMPLE: a few that were kept, and one for each reason to drop, with their ids. The
    beginning of an id is enough; all ids stand in RUN/rounds/N/data/samples.jsonl and rejected.jsonl.

    \b
    synth show runs/spar
    synth show runs/spar 3f9a
    synth show runs/spar 3f9a1c20d4b7e658 --json
    """
    from synth.runs.listing import Listing, list_records
    from synth.runs.lookup import look_up

    found = look_up(run, sample) if sample else list_records(run)
    if as_json:
        click.echo(found.model_dump_json(indent=2))
        return
    from rich.console import Console

    console = Console()
    for part in _listed(found, run) if isinstance(found, Listing) else _parts(found):
        console.print(part, highlight=False)


def _listed(found: Listing, run: Path) -> Iterator[RenderableType]:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis")
    for one in found.records:
        what = plain(f"{one.reason} {one.count:,}", "red") if one.reason else plain("kept", "green")
        table.add_row(one.id, what, plain(" ".join(one.text.split())))
    number = found.records[0].round if found.records else 1
    yield plain(f"round {number}: {found.kept:,} kept; some of them, and one for each reason to drop", "bold")
    yield table
    yield plain(f"synth show {run} ID tells of one; synth view {run} has all, with a search", "dim")


def _parts(story: Story) -> Iterator[RenderableType]:
    yield plain(headline(story), style="bold")
    sample = story.sample
    if sample is not None:
        yield from texts(sample)
        if sample.verdicts:
            said = (f"{verdict.name} {verdict.value} (by {verdict.by})" for verdict in sample.verdicts)
            yield line("verdicts", ", ".join(said))
        notes = {key: value for key, value in sample.meta.items() if key != "question"}
        if notes:
            yield line("meta", ", ".join(f"{key}: {value}" for key, value in notes.items()))
    for rejection in story.rejections:
        yield line("refused", f"{rejection.reason} in {rejection.stage}, {rejection.node}")
        yield from (plain(clip(text)) for text in (rejection.detail, rejection.raw) if text)
    if story.makers:
        yield _calls(story.makers)
    if story.origins:
        yield ancestry(story.origins)
    if story.tree is not None:
        yield _search(story.tree)


def _calls(makers: Sequence[Maker]) -> RenderableType:
    from rich.markup import escape

    from synth.cli.tables import lined

    table = lined("agent", "role", "model", "weights", title="\ncalls")
    for heading in ("temperature", "calls", "asked", "answered"):
        table.add_column(heading, justify="right")
    for maker in makers:
        figures = (f"{maker.temperature:g}", maker.calls, maker.prompt_tokens, maker.completion_tokens)
        names = (maker.agent, maker.role, maker.model, maker.weights)
        table.add_row(*map(escape, names), *map(str, figures))
    return table


def _search(found: SearchTree) -> Tree:
    """The search tree; the way to the node that succeeded stands out."""
    from rich.text import Text
    from rich.tree import Tree

    def label(index: int) -> Text:
        node = found.nodes[index]
        votes = sum(vote is True for vote in node.votes), sum(vote is not None for vote in node.votes)
        head = f"{votes[0]} of {votes[1]} votes" if votes[1] else "no vote"
        if node.checked is not None:
            head += f", checker {'yes' if node.checked else 'no'}"
        style = "bold green" if index == found.found else "bold" if index in found.path else "dim"
        text = Text(head + (", chosen" if index == found.found else ""), style=style)
        for title, said in (("reflection", node.reflection), ("response", node.response)):
            if said:
                text.append(f"\n{title}: ", style="italic").append(
                    harmless(clip(said)), style="not bold not dim"
                )
        return text

    def grow(branch: Tree, index: int) -> None:
        for child in found.children(index):
            grow(branch.add(label(child)), child)

    result = "succeeded" if found.found is not None else "did not succeed"
    tree = Tree(Text(f"\nsearch: {found.asked} refinements asked for, {result}"))
    if found.nodes:
        grow(tree.add(label(0)), 0)
    return tree
