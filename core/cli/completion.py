"""`synth completion`: commands, options and their values completed by the shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the lines that make SHELL complete synth's commands, options and their values.

    \b
    echo 'eval "$(synth completion bash)"' >> ~/.bashrc
    echo 'eval "$(synth completion zsh)"' >> ~/.zshrc
    synth completion fish > ~/.config/fish/completions/synth.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(context.find_root().command, {}, "synth", "_SYNTH_COMPLETE").source())
