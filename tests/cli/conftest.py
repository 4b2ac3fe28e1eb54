"""A finished run to look at, made once for the commands that read one."""

from __future__ import annotations

import pytest

from tests.engine.conftest import recorded, server
from tests.support.command import Run, called

__all__ = ["recorded", "run", "server"]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command in this process, on a wide terminal: exit code, standard output, standard error."""
    monkeypatch.setenv("COLUMNS", "200")
    return called(capsys)
