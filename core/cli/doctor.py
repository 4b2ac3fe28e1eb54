"""`synth doctor`: is this machine fit?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from synth.doctor import Depth

MARKS = {"ok": "ok", "note": "note", "broken": "BROKEN"}


@click.command("doctor")
@click.argument("flow", type=click.Path(path_type=Path), required=False)
@click.option("--quick", is_flag=True, help="Leave out the import of vLLM, which takes a while.")
@click.option("--serve", is_flag=True, help="Start vLLM as well, with the smallest model that is here.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(flow: Path | None, quick: bool, serve: bool, as_json: bool) -> None:
    """Look at this machine and say what to mend: processor, memory, GPU, disk, ports, packages,
    models, vLLM. Exits with 1 if something is broken.

    With a FLOW, say which of its profiles fits this machine's GPUs and memory, and why; exits
    with 1 if none does.

    \b
    synth doctor
    synth doctor --quick --json
    synth doctor --serve
    synth doctor flows/stat.yaml
    """
    from synth.doctor import look, look_at
    from synth.flowfiles import load

    depth: Depth = "quick" if quick else "serve" if serve else "import"
    found, width = [], 17 if flow is None else 26
    for finding in look(depth) if flow is None else look_at(lambda profile: load(flow, (), profile)):
        found.append(finding)
        if not as_json:
            click.echo(f"{MARKS[finding.state]:<8}{finding.name:<{width}}{finding.said}")
            if finding.cure:
                click.echo(f"{'':<8}{'':<{width}}{finding.cure}")
    broken = [finding.name for finding in found if finding.state == "broken"]
    if as_json:
        import orjson

        listed = [finding.model_dump() for finding in found]
        click.echo(orjson.dumps({"fit": not broken, "findings": listed}, option=orjson.OPT_INDENT_2))
    else:
        click.echo(f"to mend: {', '.join(broken)}" if broken else "this machine is fit")
    if broken:
        sys.exit(1)
