"""What is installed is what is here: a folder of code that nobody listed would be missing from a wheel."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_package_is_listed() -> None:
    """Each folder with code stands under `packages`; an editable install would hide that it does not."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    rooms = {folder: package for package, folder in settings["package-dir"].items()}
    found = set()
    for folder, package in rooms.items():
        for init in (ROOT / folder).rglob("__init__.py"):
            inner = init.parent.relative_to(ROOT / folder).parts
            found.add(".".join((package, *inner)))
    assert found == set(settings["packages"])
