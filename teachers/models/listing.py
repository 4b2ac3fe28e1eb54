"""What can be named under `model:` on this machine."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from synth.teachers.models.aliases import Alias, aliases
from synth.teachers.models.cache import models_root
from synth.teachers.models.folder import fault, size_on_disk
from synth.teachers.models.resolve import find_cached

__all__ = ["ModelInfo", "list_models"]


class ModelInfo(BaseModel):
    """One model: what it is, whether it is here, and where it comes from."""

    model_config = ConfigDict(frozen=True)

    name: str
    hub: str
    licence: str
    size: int
    """Bytes on the disk if it is here, else bytes to download from the hub."""
    source: str
    """`cache`, `hub cache`, or where it would come from: `hub`, `hub or wheel`."""
    cached: bool
    path: Path | None = None
    gated: bool = False
    note: str = ""


def list_models() -> list[ModelInfo]:
    """All aliases in their order, then other models that lie in the cache. Reads no network."""
    known = [_of_alias(alias) for alias in aliases().values()]
    root = models_root()
    others = sorted(path for path in root.iterdir() if path.name not in aliases()) if root.is_dir() else []
    return known + [_of_folder(path) for path in others if path.name[0] != "." and fault(path) is None]


def _of_alias(alias: Alias) -> ModelInfo:
    path = find_cached(alias.name, alias.hub)
    if path is None:
        source, size = "hub or wheel" if alias.wheel else "hub", alias.size
    else:
        source, size = "cache" if path.parent == models_root() else "hub cache", size_on_disk(path)
    return ModelInfo(
        name=alias.name,
        hub=alias.hub,
        licence=alias.licence,
        size=size,
        source=source,
        cached=path is not None,
        path=path,
        gated=alias.gated,
        note=alias.note,
    )


def _of_folder(path: Path) -> ModelInfo:
    size = size_on_disk(path)
    return ModelInfo(name=path.name, hub="", licence="", size=size, source="cache", cached=True, path=path)
