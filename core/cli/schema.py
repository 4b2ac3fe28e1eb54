"""`synth schema`: the flow file's JSON Schema, or its reference page."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("schema")
@click.argument("output", type=click.Path(path_type=Path), required=False)
@click.option("--markdown", is_flag=True, help="The reference page for people instead.")
def command(output: Path | None, markdown: bool) -> None:
    """Print the JSON Schema of flow files, or write it to OUTPUT.

    Editors with a YAML language server use it for completion: put
    `# yaml-language-server: $schema=flow.schema.json` on a flow file's first line.

    \b
    synth schema flow.schema.json
    synth schema --markdown docs/flow-file.md
    """
    import orjson

    from synth.config.handbook import flow_reference
    from synth.config.schema import flow_schema
    from synth.flowfiles import params_of
    from synth.flows import BUILT_IN

    params = {name: params_of(name) for name in BUILT_IN}
    if markdown:
        text = flow_reference(params).encode()
    else:
        text = orjson.dumps(flow_schema(params), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    if output is None:
        click.echo(text.decode(), nl=False)
    else:
        output.write_bytes(text)
        click.echo(f"wrote {output}")
