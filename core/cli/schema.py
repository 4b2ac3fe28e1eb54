"""`synth schema`: the flow file's JSON Schema."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("schema")
@click.argument("output", type=click.Path(path_type=Path), required=False)
def command(output: Path | None) -> None:
    """Print the JSON Schema of flow files, or write it to OUTPUT.

    Editors with a YAML language server use it for completion: put
    `# yaml-language-server: $schema=flow.schema.json` on a flow file's first line.

    \b
    synth schema flow.schema.json
    """
    import orjson

    from synth.cli.flowfiles import params_of
    from synth.config.schema import flow_schema
    from synth.flows import BUILT_IN

    schema = flow_schema({name: params_of(name) for name in BUILT_IN})
    text = orjson.dumps(schema, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    if output is None:
        click.echo(text.decode(), nl=False)
    else:
        output.write_bytes(text)
        click.echo(f"wrote {output}")
