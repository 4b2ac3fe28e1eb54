"""The command `synth`: a table of sub-commands, each imported only when it is called."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

import click

from synth.errors import SynthError
from synth.terminal import harmless

__all__ = ["main"]

COMMANDS = {
    "new": "Make a project folder that runs at once.",
    "run": "Run a flow: generate, train, evaluate, gate; or go on where it stopped.",
    "worker": "Work on the shards of a run that is under way.",
    "nightly": "Run flows in turn on one student, night after night, within hard limits.",
    "check": "Check a flow file without starting anything.",
    "plan": "Say what a run will take: calls, tokens, time, money.",
    "preview": "Make a few samples and show every prompt and reply; keep nothing.",
    "status": "Show how far a run is and what came of it.",
    "coverage": "Show what a run's data cover, by skill and type; write some for reading.",
    "show": "Show one sample of a run: what it says, how it was made, its search tree.",
    "explain": "Tell a sample's ancestry: every call with its prompt and reply, and why it was kept.",
    "compare": "Hold the students of several runs against each other.",
    "merge": "Average students into one model, or put layers of its base back.",
    "eval": "Examine one model on a flow file's held-out items.",
    "export": "Write a run's data in a format that trainers read.",
    "push": "Put a run's data on the Hugging Face hub.",
    "audit": "Count what a run paid, repeated, lost and duplicated.",
    "report": "Write a run's report, one HTML file.",
    "view": "Show a run in the browser, live: report, every record, search.",
    "serve": "Serve a run's student, or a model by name, until Ctrl-C.",
    "models": "List known models, their size and where they come from.",
    "doctor": "Look at this machine: what is missing, and how to mend it.",
    "schema": "Write the JSON Schema of flow files, for editors.",
    "completion": "Print what makes your shell complete synth's commands and options.",
}


class LazyGroup(click.Group):
    """Knows its commands by name and one line; imports `synth.cli.<name>` to run one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"synth.cli.{cmd_name}")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from synth.config.suggest import nearest

            close = nearest(args[0], COMMANDS)
            hint = f" Did you mean '{close}'?" if close else ""
            ctx.fail(f"There is no command '{args[0]}'.{hint}")
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="synth", message="synth %(version)s")
def cli() -> None:
    """Make training data with agent flows, train a student on it, keep it only if it got better.

    \b
    synth check flows/stat.yaml
    synth run flows/stat.yaml
    synth status runs/stat
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point. Exit codes: 0 done, 2 bad flow file or data, 3 server, 4 training,
    5 run folder, 6 budget reached, 7 data collapsing, 130 interrupted, 1 anything else."""
    try:
        cli.main(args=list(arguments) if arguments is not None else None, standalone_mode=False)
    except SynthError as error:
        click.echo(harmless(f"synth: {error}"), err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("synth: stopped; the same command goes on from here", err=True)
        sys.exit(130)


if __name__ == "__main__":
    main()
