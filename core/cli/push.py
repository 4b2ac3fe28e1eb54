"""`synth push`: a run's data on the hub."""

from __future__ import annotations

from pathlib import Path

import click

from synth.cli.export import make, which_data


@click.command("push")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("target", metavar="hub:OWNER/NAME")
@which_data
@click.option("--public", is_flag=True, help="Make a new data set public; by default it is private.")
@click.option("--dry-run", is_flag=True, help="Write the export and say what would be sent; send nothing.")
def command(
    run: Path,
    target: str,
    form: str,
    number: int | None,
    learner: str,
    mixed: bool,
    public: bool,
    dry_run: bool,
) -> None:
    """Put the data of RUN on the Hugging Face hub, with the card and the flow file.

    The token is taken from HF_TOKEN, or from what `hf auth login` has left.

    \b
    synth push runs/stat hub:me/stat-data --dry-run
    synth push runs/stat hub:me/stat-data
    """
    from synth.export.push import push, repo_of

    repo = repo_of(target)
    written, folder = make(run, form, number, learner, None, mixed)
    for warning in written.warnings:
        click.echo(f"warning: {warning}")
    if dry_run:
        click.echo(f"would send to the data set {repo}:")
        for path in sorted(folder.iterdir()):
            click.echo(f"  {path.name}  {path.stat().st_size:,} bytes")
        return
    message = f"{written.rows} rows of {written.run}, {written.format}"
    click.echo(push(folder, repo, private=not public, message=message))
