"""The command line called in this process, with its exit code and what it printed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from synth.cli.main import main

__all__ = ["Run", "called"]

Run = Callable[..., tuple[int, str, str]]


def called(capsys: pytest.CaptureFixture[str]) -> Run:
    """A function from arguments to exit code, standard output and standard error; never a traceback."""

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        code = 0
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return call
