"""The page on the command line knows every command, option and exit code, and completion works."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from synth import errors
from synth.cli.main import COMMANDS, cli

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cli.md").read_text()


def test_every_command_has_a_section_with_an_example() -> None:
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
    for name in COMMANDS:
        assert f"synth {name}" in sections[name]


def test_every_option_the_page_names_exists() -> None:
    """No example is out of date."""
    for line in re.findall(r"^synth .*$", PAGE, re.MULTILINE):
        words = line.partition("#")[0].split()
        command = cli.get_command(click.Context(cli), words[1])
        assert command is not None
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known


def test_every_exit_code_is_there() -> None:
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)}
    raised = {
        one.exit_code for one in vars(errors).values() if isinstance(one, type) and hasattr(one, "exit_code")
    }
    assert codes == raised | {0, 130}


@pytest.mark.parametrize(
    ("words", "position", "expected"),
    [
        ("synth ex", 1, {"explain", "export"}),
        ("synth export --format sh", 3, {"sharegpt"}),
        (f"synth run {ROOT}/flows/spar.yaml --profile tiny", 4, {"tiny", "tiny-hard"}),
        ("synth run nowhere.yaml --profile t", 4, set()),
    ],
)
def test_the_shell_completes(words: str, position: int, expected: set[str]) -> None:
    """Commands and the values of options, as bash asks for them."""
    asked = {"_SYNTH_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(position)}
    code = "import sys; sys.argv[0] = 'synth'; from synth.cli.main import main; main([])"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **asked}, capture_output=True, text=True, check=False
    )
    assert {line.partition(",")[2] for line in done.stdout.split("\n") if line} == expected
