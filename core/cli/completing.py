"""What the shell offers where a command asks for a value that a file knows."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

__all__ = ["profiles"]


def profiles(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """The profiles of the flow file that stands on the line; none where it cannot be read."""
    import yaml

    # While the option has no value the line cannot be parsed, and its words are left as they are.
    words = [str(context.params.get("flow") or ""), *context.args]
    try:
        path = next(Path(word) for word in words if word.endswith((".yaml", ".yml")))
        known = yaml.safe_load(path.read_text(encoding="utf-8"))["profiles"]
        return [CompletionItem(name) for name in known if str(name).startswith(begun)]
    except (OSError, ValueError, KeyError, TypeError, StopIteration, yaml.YAMLError):
        return []
