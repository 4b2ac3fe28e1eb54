"""The Hugging Face hub: what its local cache holds already, and downloading what it does not."""

from __future__ import annotations

import os
import re
from pathlib import Path

from synth.teachers.models.cache import cannot_write, require_space
from synth.teachers.models.folder import fault
from synth.teachers.models.progress import Progress, watching

__all__ = ["HubUnavailable", "cached", "download", "is_hub_id"]

CONNECT_SECONDS = 5.0
SIDE_FILES = re.compile(
    r"(config|generation_config|special_tokens_map|added_tokens|vocab|preprocessor_config|processor_config)\.json"
    r"|tokenizer[^/]*|chat_template[^/]*|merges\.txt|[^/]*\.model|model\.safetensors\.index\.json"
    r"|modules\.json|config_sentence_transformers\.json|sentence_\w+_config\.json|\d+_[A-Z]\w+/config\.json"
)
"""The last line is how a sentence encoder pools: without it a server would take another way."""
WEIGHTS = re.compile(r"(?!consolidated)[^/]*\.safetensors")


class HubUnavailable(Exception):
    """The hub could not give the model; the text says why in a few words."""


def is_hub_id(name: str) -> bool:
    """Whether `name` has the form owner/name."""
    return re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", name) is not None


def cached(repo: str) -> Path | None:
    """The newest whole snapshot of `repo` in the hub's own cache; looks at files only."""
    folder = _repo_folder(repo)
    if any(folder.glob("blobs/*.incomplete")):
        return None
    newest_first = sorted(folder.glob("snapshots/*"), key=lambda path: path.stat().st_mtime, reverse=True)
    return next((path for path in newest_first if fault(path) is None), None)


def download(repo: str, progress: Progress | None = None) -> Path:
    """Fetch safetensors, tokenizer and configuration of `repo` into the hub's cache.

    Raises `HubUnavailable` if the hub cannot be reached or does not give the model,
    `ModelError` if the disk cannot take it.
    """
    # Read by the client when it is imported.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    from huggingface_hub import HfApi, snapshot_download

    try:
        siblings = HfApi().model_info(repo, timeout=CONNECT_SECONDS, files_metadata=True).siblings or []
    except Exception as error:
        raise HubUnavailable(_reason(error)) from error
    sizes = {file.rfilename: file.size or 0 for file in siblings if _wanted(file.rfilename)}
    if not any(WEIGHTS.fullmatch(name) for name in sizes):
        raise HubUnavailable("it has no weights in safetensors format there")
    total = sum(sizes.values())
    folder = _repo_folder(repo)
    require_space(folder, total, f"downloading {repo}")
    try:
        with watching(folder / "blobs", total, f"download {repo}", progress):
            fetched = snapshot_download(repo, allow_patterns=list(sizes), etag_timeout=CONNECT_SECONDS)
    except Exception as error:
        raise cannot_write(folder, error) or HubUnavailable(_reason(error)) from error
    return Path(fetched)


def _wanted(name: str) -> bool:
    return bool(WEIGHTS.fullmatch(name) or SIDE_FILES.fullmatch(name))


def _reason(error: Exception) -> str:
    from huggingface_hub.errors import GatedRepoError, OfflineModeIsEnabled, RepositoryNotFoundError

    if isinstance(error, GatedRepoError):
        return "it is given only to accounts that accepted its terms there (log in with HF_TOKEN)"
    if isinstance(error, RepositoryNotFoundError):
        return "there is no such model, or it is private"
    if isinstance(error, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set"
    first_line = str(error).strip().partition("\n")[0]
    return f"not reached ({type(error).__name__}: {first_line})"


def _repo_folder(repo: str) -> Path:
    """Where the hub's client keeps a repository (the same rules, without importing it)."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or f"{base}/huggingface"
    hub = Path(os.environ.get("HF_HUB_CACHE") or f"{home}/hub").expanduser()
    return hub / f"models--{repo.replace('/', '--')}"
