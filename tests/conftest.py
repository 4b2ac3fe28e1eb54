"""Shared fixtures: a journal in a temporary folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from synth.journal import Journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An open journal of its own."""
    opened = Journal(tmp_path / "journal.db")
    yield opened
    opened.close()
