"""A new project: a flow file that runs at once, a README, and data in the shape that the flow reads."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from synth.errors import RunError

__all__ = ["make_project"]

STUBS = Path(__file__).parent / "projects"


def make_project(folder: Path, flow: str) -> list[Path]:
    """Write the project; returns its files. Raises `RunError` where the folder is not empty."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise RunError(f"the folder {folder} is not empty", "name a new one; nothing is overwritten")
        return list(_write(folder, flow))
    except OSError as error:
        raise RunError(
            f"the folder {folder} cannot be made: {error.strerror or error}", "name another one"
        ) from error


def _write(folder: Path, flow: str) -> Iterator[Path]:
    stub: dict[str, Any] = yaml.safe_load((STUBS / "projects.yaml").read_text(encoding="utf-8"))[flow]
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", folder.resolve().name).strip("-.") or "project"
    (folder / "data").mkdir()
    files = {folder / "data" / Path(file).name: (STUBS / file).read_bytes() for file in stub["files"]}
    files[folder / "flow.yaml"] = _flow_file(flow, name, stub.get("profile", "")).encode()
    files[folder / "README.md"] = _readme(flow, name, stub).encode()
    for path, content in files.items():
        path.write_bytes(content)
        yield path


def _flow_file(flow: str, name: str, profile: str) -> str:
    """The shipped flow file with a name of its own, and a profile for own data as its last."""
    from synth import flows

    own = STUBS / f"{flow}.yaml"
    source = own if own.is_file() else Path(flows.__file__).parent / own.name
    text = re.sub(
        r"^flow: .*$",
        rf"\g<0>\nname: {name}",
        source.read_text(encoding="utf-8"),
        count=1,
        flags=re.MULTILINE,
    )
    return text.rstrip() + "\n" + textwrap.indent(profile, "  ")


def _readme(flow: str, name: str, stub: dict[str, Any]) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(STUBS),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown, not HTML
    )
    return environment.get_template("README.md.j2").render(
        name=name,
        run=name,
        flow=flow,
        about=stub["about"],
        rows=stub["rows"],
        own=bool(stub.get("profile")),
        files=[Path(file).name for file in stub["files"]],
    )
