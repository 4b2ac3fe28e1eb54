"""Shared fixtures: a journal in a temporary folder, an environment no test can change for the next."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import setuptools  # noqa: F401  (it has to come before anything imports the standard library's distutils)

from synth.journal import Journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An open journal of its own."""
    opened = Journal(tmp_path / "journal.db")
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def same_environment() -> Iterator[None]:
    """What runs in this process may set variables, as training does; the next test has its own."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
