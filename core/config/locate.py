"""Where a path or a module named in a flow file leads."""

from __future__ import annotations

import sys
from pathlib import Path

from synth.config.suggest import nearest

__all__ = ["locate", "made_importable", "make_importable", "nearest_to"]

_ADDED: list[str] = []


def locate(path: str | Path, flow_file: Path, base: Path | None = None) -> Path | None:
    """The file or folder a flow file means: from the current directory, then from its own folder.

    `base` stands for the current directory. None if there is nothing in either place.
    """
    wanted = Path(path).expanduser()
    for folder in (base or Path(), flow_file.parent) if str(path) else ():
        if (folder / wanted).exists():
            return folder / wanted
    return None


def nearest_to(path: str | Path, flow_file: Path, base: Path | None = None) -> str:
    """A cure that names the file or folder of nearly this name; empty if there is none."""
    wanted = Path(path).expanduser()
    folder = locate(wanted.parent, flow_file, base)
    if folder is None or not folder.is_dir():
        return ""
    near = nearest(wanted.name, (file.name for file in folder.iterdir()))
    return f"did you mean '{wanted.parent / near}'?" if near else ""


def make_importable(flow_file: Path, base: Path | None = None) -> None:
    """Let a user's modules be imported from where files are looked for.

    The folders come last in `sys.path`, so that none of their modules hides an installed
    package, and stay there, because the run imports the same modules later.
    """
    for folder in (base or Path(), flow_file.parent):
        if str(folder.resolve()) not in sys.path:
            sys.path.append(str(folder.resolve()))
            _ADDED.append(str(folder.resolve()))


def made_importable() -> tuple[str, ...]:
    """The folders so added, for processes that import the same modules."""
    return tuple(_ADDED)
