"""`synth models`: what can be named under `model:`."""

from __future__ import annotations

import click


@click.command("models")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
def command(as_json: bool) -> None:
    """List known models with their size and where they come from.

    Besides these, `model:` takes any hub id (owner/name) and any local folder.

    \b
    synth models
    synth models --json
    """
    import orjson

    from synth.teachers.models import list_models

    models = list_models()
    if as_json:
        click.echo(
            orjson.dumps([model.model_dump(mode="json") for model in models], option=orjson.OPT_INDENT_2)
        )
        return
    from rich.console import Console

    from synth.cli.tables import models_table

    Console().print(models_table(models))
