"""The text of a flow file, or why there is none."""

from __future__ import annotations

from pathlib import Path

from synth.config.suggest import listing, suggestion
from synth.config.yaml_fault import Mark
from synth.errors import ConfigError, Problem

__all__ = ["read_source"]

MAX_BYTES = 1 << 20


def read_source(path: Path) -> str:
    """Raises `ConfigError` if the file is not there, cannot be read, or is not UTF-8 text."""
    if path.is_dir():
        raise _error(path, "this is a folder, not a flow file", _files_in(path))
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _error(path, "larger than 1 MiB; this is no flow file", "name a flow file, not a data file")
        data = path.read_bytes()
    except FileNotFoundError:
        raise _error(path, "there is no such file", _near(path)) from None
    except OSError as error:
        raise _error(path, f"cannot be read: {error.strerror}", "check its permissions") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = Mark.of(data[: error.start].decode("utf-8-sig"))
        where = f"{path}:{before.line + 1}:{before.column + 1}"
        message = f"not UTF-8: the byte 0x{data[error.start]:02x} stands here"
        raise ConfigError([Problem(where, "", message, "save the file as UTF-8")]) from None


def _error(path: Path, message: str, cure: str) -> ConfigError:
    return ConfigError([Problem(str(path), "", message, cure)])


def _yaml_names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir() if file.suffix in (".yaml", ".yml"))


def _files_in(folder: Path) -> str:
    names = _yaml_names(folder)
    return f"flow files in it: {listing(names)}" if names else "name a YAML file"


def _near(path: Path) -> str:
    if not path.parent.is_dir():
        return f"there is no folder {path.parent} either; check the path"
    return suggestion(path.name, _yaml_names(path.parent), "flow files there") or "check the path"
