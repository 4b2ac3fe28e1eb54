"""An exported folder goes to the Hugging Face hub."""

from __future__ import annotations

import os
from pathlib import Path

from synth.errors import EndpointError, RunError
from synth.teachers.models.hub import is_hub_id

__all__ = ["push", "repo_of"]

HUB = "hub:"


def repo_of(target: str) -> str:
    """`hub:owner/name` as `owner/name`. Raises `RunError` for anything else."""
    repo = target.removeprefix(HUB)
    if not target.startswith(HUB) or not is_hub_id(repo):
        raise RunError(f"expected hub:owner/name, found {target!r}", "for example hub:me/my-data")
    return repo


def push(folder: Path, repo: str, *, private: bool, message: str) -> str:
    """Upload a folder as the data set `repo`, made if needed; returns its address.

    Files the hub has already are not sent again. Raises `EndpointError` with the hub's own words.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from huggingface_hub import HfApi

    api = HfApi()
    try:
        api.create_repo(repo, repo_type="dataset", private=private, exist_ok=True)
        done = api.upload_folder(
            repo_id=repo, repo_type="dataset", folder_path=folder, commit_message=message
        )
    except Exception as error:  # no network, no token, no right: each a class of the client's own
        first = str(error).strip().partition("\n")[0]
        raise EndpointError(
            f"pushing {folder} to {repo}: {type(error).__name__}: {first}",
            "check the network, and that HF_TOKEN may write there; the same command goes on",
        ) from error
    return str(getattr(done, "commit_url", "") or done)
