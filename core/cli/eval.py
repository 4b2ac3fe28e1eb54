"""`synth eval`: one model on a flow file's held-out items."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from synth.cli.completing import profiles

if TYPE_CHECKING:
    from synth.config import Loaded
    from synth.measure.examine import Exam
    from synth.progress import Progress


@click.command("eval")
@click.argument("model")
@click.option("--flow", required=True, type=click.Path(path_type=Path), help="Flow file with the items.")
@click.option("--test", default="data.test", show_default=True, help="Data source of the items.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a value first.")
@click.option("--profile", shell_complete=profiles, help="Overlay a profile of the flow file first.")
@click.option(
    "--round", "number", type=click.IntRange(min=1), help="Of a run: which student; by default the last."
)
@click.option("--served", help="Of an endpoint: the name of the model, where it serves several.")
@click.option(
    "--samples",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Answers to each item; several are drawn.",
)
@click.option(
    "--temperature",
    type=click.FloatRange(min=0),
    help="Of the answers; by default the exams' for one, 1 for several.",
)
@click.option("--api-key", metavar="env:NAME", help="Of an endpoint: the variable that holds its key.")
@click.option(
    "--to", "target", type=click.Path(path_type=Path), help="Folder for the answers; by default in evals/."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("--quiet", is_flag=True, help="Print the result alone.")
def command(
    model: str,
    flow: Path,
    test: str,
    overrides: tuple[str, ...],
    profile: str | None,
    number: int | None,
    served: str | None,
    samples: int,
    temperature: float | None,
    api_key: str | None,
    target: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Examine MODEL on the held-out items of a flow file, with its prompt and its verifier.

    MODEL is an alias, a hub id, a folder, an endpoint's address, a program (module:function), or a
    run, whose student is examined. What was answered before is not asked again.

    \b
    synth eval smollm2-135m --flow flows/stat.yaml
    synth eval runs/stat --flow flows/stat.yaml --round 1
    synth eval http://127.0.0.1:8000/v1 --flow flows/spar.yaml --test data.test --json
    synth eval runs/drift --flow flows/drift.yaml --samples 8 --temperature 0.7
    """
    warmth = 1.0 if samples > 1 and temperature is None else temperature
    if samples > 1 and not warmth:
        raise click.UsageError("several greedy answers are one; name a --temperature above 0")
    from synth.flowfiles import load

    loaded = load(flow, overrides, profile, offline=True)
    from synth.engine.tuning import run_loop
    from synth.progress import make_progress

    os.environ["LANGSMITH_TRACING"] = os.environ["LANGCHAIN_TRACING_V2"] = "false"
    source = test.removeprefix("data.")
    with make_progress(quiet or as_json) as progress:
        exam = run_loop(
            _examine(loaded, (model, number, served, api_key), source, target, (samples, warmth), progress)
        )
    if as_json:
        click.echo(exam.model_dump_json(indent=2))
        return
    click.echo(exam.said)
    for family in exam.families if len(exam.families) > 1 else ():
        from synth.figures import level

        click.echo(f"  {family.family}: {level(family.value, exam.metric)} of {family.n}")
    click.echo(f"answers: {exam.file}")


async def _examine(
    loaded: Loaded,
    named: tuple[str, int | None, str | None, str | None],
    source: str,
    target: Path | None,
    drawn: tuple[int, float | None],
    progress: Progress,
) -> Exam:
    from synth.measure.examine import Drawing, examine, slug
    from synth.measure.examinee import examinee

    who, drawing = await examinee(*named), Drawing(*drawn)
    folder = target or Path("evals") / slug(who, source, loaded.path, drawing.temperature)
    return await examine(loaded, who, source, folder, progress, drawing)
