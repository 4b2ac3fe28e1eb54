"""`synth export`: a run's data for a trainer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from synth.export import Exported, Method

FORMATS = ("parquet", "jsonl", "messages", "pairs", "prompts", "alpaca", "sharegpt")


def which_data(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say which data of a run are meant, and in what shape."""
    for option in (
        click.option("--learner", default="student", show_default=True, help="Role whose data it is."),
        click.option(
            "--round", "number", type=click.IntRange(min=1), help="One round; by default all of them."
        ),
        click.option(
            "--mixed-licences",
            "mixed",
            is_flag=True,
            help="Let rows through whose licences cannot all be met.",
        ),
        click.option(
            "--format",
            "form",
            type=click.Choice(FORMATS),
            default="parquet",
            show_default=True,
            help="Shape of rows.",
        ),
    ):
        command = option(command)
    return command


@click.command("export")
@click.argument("run", type=click.Path(path_type=Path))
@which_data
@click.option(
    "--to", "target", metavar="FOLDER", help="Folder or URL to write; by default RUN/export/FORMAT."
)
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def command(
    run: Path, form: str, number: int | None, learner: str, mixed: bool, target: str | None, as_json: bool
) -> None:
    """Write the data of RUN into a folder: one data file, its card, the flow file.

    parquet and jsonl hold what the student was trained on, for TRL: prompt with completion, or
    with chosen and rejected. messages (SFT), pairs (DPO) and prompts (the prompt with the known
    answer, for GRPO) are TRL's too; alpaca and sharegpt are for LLaMA-Factory and Axolotl.

    \b
    synth export runs/stat
    synth export runs/stat --format messages --to data/stat
    synth export runs/spar --round 2 --format pairs
    synth export runs/stat --to s3://bucket/stat
    """
    remote = target if target and "://" in target else None
    written, folder = make(run, form, number, learner, Path(target) if target and not remote else None, mixed)
    if remote:
        from synth.export.upload import upload

        upload(folder, remote.rstrip("/"))
    if as_json:
        click.echo(written.model_dump_json(indent=2))
        return
    click.echo(f"{remote.rstrip('/') if remote else folder}/{written.file}: {written.rows:,} rows")
    for warning in written.warnings:
        click.echo(f"warning: {warning}")


def make(
    run: Path, form: str, number: int | None, learner: str, target: Path | None, mixed: bool
) -> tuple[Exported, Path]:
    """The export and its folder."""
    from synth.export import export

    folder = target or run / "export" / form
    return export(run, folder, form, number, learner, _method(run), mixed), folder  # type: ignore[arg-type]


def _method(run: Path) -> Method:
    """The paper and the graphs of the run's flow, where the flow can be loaded here."""
    from synth.export import Method
    from synth.flows import load_flow_module
    from synth.runs.runfiles import read_yaml

    try:
        flow = load_flow_module(str(read_yaml(run / "flow.yaml", []).get("flow")))
        drawn = {
            name: graph.get_graph().draw_mermaid(with_styles=False).strip()
            for name, graph in flow.graphs().items()
        }
    except Exception:  # a flow of the user's own may fail in any way
        return Method()
    return Method(flow.citation, drawn)
