"""`synth doctor`: is this machine fit?"""

from __future__ import annotations

import sys

import click

MARKS = {"ok": "ok", "note": "note", "broken": "BROKEN"}


@click.command("doctor")
@click.option("--quick", is_flag=True, help="Leave out the import of vLLM, which takes a while.")
@click.option("--serve", is_flag=True, help="Start vLLM as well, with the smallest model that is here.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(quick: bool, serve: bool, as_json: bool) -> None:
    """Look at this machine and say what to mend: processor, memory, GPU, disk, ports, packages,
    models, vLLM. Exits with 1 if something is broken.

    \b
    synth doctor
    synth doctor --quick --json
    synth doctor --serve
    """
    from synth.doctor import look

    found = []
    for finding in look("quick" if quick else "serve" if serve else "import"):
        found.append(finding)
        if not as_json:
            click.echo(f"{MARKS[finding.state]:<8}{finding.name:<17}{finding.said}")
            if finding.cure:
                click.echo(f"{'':<8}{'':<17}{finding.cure}")
    broken = [finding.name for finding in found if finding.state == "broken"]
    if as_json:
        import orjson

        listed = [finding.model_dump() for finding in found]
        click.echo(orjson.dumps({"fit": not broken, "findings": listed}, option=orjson.OPT_INDENT_2))
    else:
        click.echo(f"to mend: {', '.join(broken)}" if broken else "this machine is fit")
    if broken:
        sys.exit(1)
