"""What a model folder must hold, and the version of its weights."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from synth.teachers.models.cache import cache_root

__all__ = ["fault", "size_on_disk", "weights_version"]

TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "spiece.model")
DIGESTS = ".weights.json"


def fault(folder: Path) -> str | None:
    """Why `folder` cannot be served and trained; None if it can."""
    if not folder.is_dir():
        return "there is no such folder"
    if not (folder / "config.json").is_file():
        adapter = (folder / "adapter_config.json").is_file()
        return "it holds an adapter, not a whole model" if adapter else "it has no config.json"
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        shards = set(_read_json(index).get("weight_map", {}).values())
        missing = sorted(shard for shard in shards if not (folder / shard).is_file())
        if missing or not shards:
            return f"its index names {missing[0]}, which is missing" if missing else "its index is damaged"
    elif not any(folder.glob("*.safetensors")):
        return "it has no weights in safetensors format"
    elif any(folder.glob("*-of-*.safetensors")):
        return "its weights come in parts, but model.safetensors.index.json is missing"
    if not any((folder / name).is_file() for name in TOKENIZERS):
        return "it has no tokenizer"
    return None


def size_on_disk(folder: Path) -> int:
    """Bytes of all files directly in `folder`, links followed."""
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())


def weights_version(folder: Path) -> str:
    """Sixteen hex digits that depend on the bytes of the folder's safetensors alone.

    The digest of each file is kept beside it (for a folder that cannot be written, in the
    cache) with the file's size and time of change, so it is computed once.
    Raises `FileNotFoundError` where there are no safetensors.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise FileNotFoundError(f"{folder} holds no safetensors")
    keep = folder / DIGESTS, _digest_file(folder)
    known: dict[str, Any] = {}
    for place in reversed(keep):
        known |= _read_json(place)
    current = {path.name: known.get(path.name) for path in files}
    for path in files:
        stat = path.stat()
        stamp = [stat.st_size, stat.st_mtime_ns]
        entry = current[path.name]
        if not isinstance(entry, dict) or entry.get("stamp") != stamp:
            current[path.name] = {"stamp": stamp, "sha256": sha256(path)}
    if current != known:
        _keep(current, *keep)
    lines = "".join(f"{name} {current[name]['sha256']}\n" for name in current)  # type: ignore[index]
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def sha256(path: Path) -> str:
    """SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_file(folder: Path) -> Path:
    key = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    return cache_root() / "digests" / f"{key}.json"


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _keep(digests: dict[str, Any], *places: Path) -> None:
    """Write to the first place that takes it; nowhere is no error, only slower next time."""
    for place in places:
        temporary = place.with_suffix(".tmp")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(digests), encoding="utf-8")
            temporary.replace(place)
        except OSError:
            continue
        return
