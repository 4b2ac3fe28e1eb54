"""Data at a URL that fsspec knows (s3://, gs://, https:// and their like): fetched once, read as files."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from synth.errors import DataError

__all__ = ["fetched", "filesystem", "is_remote"]

_CURE = "check the address, and the keys and endpoint in the environment"


def is_remote(source: str) -> bool:
    """Whether a source is a URL, not a path."""
    return "://" in source


def filesystem(url: str) -> tuple[Any, str]:
    """What reads a URL, and the path in it; nothing is asked yet. Raises `DataError` if nothing does."""
    # Lazy: it takes a tenth of a second, and most data are files.
    import fsspec

    try:
        system, path = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        raise DataError(
            f"{url} cannot be read: {error}", "install what reads it, such as synth[s3]"
        ) from error
    return system, str(path).rstrip("/")


def fetched(url: str) -> Path:
    """A copy of a file or folder, kept for as long as this process lives. Raises `DataError`."""
    return Path(_copy(url.rstrip("/")).name) / (url.rstrip("/").rpartition("/")[2] or "data")


@cache
def _copy(url: str) -> tempfile.TemporaryDirectory[str]:
    """The folder that holds it, which goes away with the process."""
    system, root = filesystem(url)
    folder = tempfile.TemporaryDirectory(prefix="synth-data-")
    target = Path(folder.name) / url.rpartition("/")[2]
    try:
        found = sorted(system.find(root))
        for name in found:
            inside = str(name).removeprefix(root).lstrip("/")
            place = target / inside if inside else target
            place.parent.mkdir(parents=True, exist_ok=True)
            system.get_file(name, str(place))
    except Exception as error:  # each library raises its own
        raise DataError(f"{url} cannot be read: {type(error).__name__}: {error}", _CURE) from error
    if not found:
        raise DataError(f"there is no file or folder {url}", _CURE)
    return folder
