"""`synth merge`: students made into one model."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from synth.rounds.soup import Kept
    from synth.students.souping import Part


@click.command("merge")
@click.argument("students", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the model to make.")
@click.option(
    "--round", "rounds", multiple=True, type=click.IntRange(min=1), help="Of runs: only this round's."
)
@click.option("--greedy", is_flag=True, help="Take a student in only where held-out items say it helps.")
@click.option("--flow", type=click.Path(path_type=Path), help="Flow file with those items, for --greedy.")
@click.option("--on", "source", default="data.valid", show_default=True, help="Their data source.")
@click.option("--restore", type=click.Path(path_type=Path), help="Put layers of this pre-trained model back.")
@click.option("--layers", metavar="A-B", help="Which; by default the proxy task finds them.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    students: tuple[Path, ...],
    out: Path,
    rounds: tuple[int, ...],
    greedy: bool,
    flow: Path | None,
    source: str,
    restore: Path | None,
    layers: str | None,
    as_json: bool,
) -> None:
    """Average the STUDENTS of runs, or whole models of one shape, into one model.

    An adapter is folded into its base first. What comes out is a model folder with a card, to be named
    in any flow file.

    \b
    synth merge runs/stat --out models/soup
    synth merge runs/a runs/b --out models/soup --greedy --flow flows/stat.yaml --on data.valid
    synth merge runs/stat --round 2 --out models/diverse --restore ~/models/smollm2-135m-base
    """
    if out.exists():
        raise click.UsageError(f"{out} is there already; name another folder with --out")
    if greedy and (flow is None or restore is not None):
        raise click.UsageError("--greedy needs --flow with held-out items, and goes without --restore")
    from synth.rounds.soup import make_soup, students_of
    from synth.students.souping import Restore

    parts = [part for place in students for part in students_of(place, rounds)]
    back = Restore(pretrained=restore, layers=_layers(layers)) if restore else None
    if len(parts) < 2 and back is None:
        raise click.UsageError("one student alone is no soup; name another, or --restore")
    out.parent.mkdir(parents=True, exist_ok=True)
    if greedy:
        assert flow is not None
        kept = asyncio.run(_greedy(parts, out, flow, source.removeprefix("data.")))
    else:
        kept = asyncio.run(make_soup(parts, out, back))
    click.echo(kept.model_dump_json(indent=2) if as_json else "\n".join(_said(kept)))


def _layers(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    first, dash, last = text.partition("-")
    if not (first.isdigit() and (last.isdigit() or not dash)):
        raise click.UsageError("--layers takes the first and the last, from 0: --layers 4-9")
    return int(first), int(last or first)


async def _greedy(parts: list[Part], out: Path, flow: Path, source: str) -> Kept:
    from synth.flowfiles import load
    from synth.measure.examine import examine
    from synth.measure.examinee import examinee
    from synth.progress import make_progress
    from synth.rounds.soup import greedy

    loaded = load(flow, (), None, offline=True)
    with make_progress(False) as progress:

        async def score(model: Path) -> float:
            with tempfile.TemporaryDirectory() as place:
                who = await examinee(str(model), None, None, None)
                return (await examine(loaded, who, source, Path(place), progress)).value

        return await greedy(parts, out, score)


def _said(kept: Kept) -> list[str]:
    lines = [f"{kept.output}: {' + '.join(kept.parts)}"]
    lines += [f"  {title}: {value:.4g}" for title, value in kept.scores.items()]
    if kept.restored:
        lines.append(f"  layers {kept.restored[0]} to {kept.restored[1]} restored")
    lines += [
        f"  {'as it was' if one.first < 0 else f'layers {one.first} to {one.last}'}: "
        f"validity {one.validity:.3f}, diversity {one.diversity:.3f}"
        for one in kept.front
    ]
    return [*lines, f"  weights {kept.weights}"]
