"""Where a path named in a flow file leads."""

from __future__ import annotations

from pathlib import Path

from synth.config.suggest import nearest

__all__ = ["locate", "nearest_to"]


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
