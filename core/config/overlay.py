"""What is laid over a flow file: one of its profiles, then `--set KEY=VALUE`."""

from __future__ import annotations

import copy
import re
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from synth.config.suggest import listing, nearest, suggestion
from synth.config.tree import KeyPath, Place, Tree, dotted
from synth.config.yaml_tree import read_yaml
from synth.errors import Problem

__all__ = ["apply_profile", "apply_set", "check_profiles"]

_NAMED = ("models", "data")
OVER = "over"
"""Key of a profile: the one it is laid over."""


def apply_profile(tree: Tree, name: str) -> list[Problem]:
    """Lay `profiles.<name>` over the tree: sections are merged, everything else replaced.

    A profile that names another under `over` is laid over that one.
    """
    chain, problems = _chain(tree, name)
    for one in reversed(chain):
        _lay(tree, one)
    return problems


def _chain(tree: Tree, name: str) -> tuple[list[str], list[Problem]]:
    """The profile, what it is laid over, and so on."""
    chain: list[str] = []
    known = list(tree.keys(("profiles",)))
    while name not in chain:
        if name not in known:
            cure = suggestion(name, known) or "this file has no profiles"
            if chain:
                return [], [tree.problem(("profiles", chain[-1], OVER), "there is no such profile", cure)]
            return [], [Problem("--profile", name, "there is no such profile", cure)]
        chain.append(name)
        below = tree.get(("profiles", name, OVER))
        if below is None:
            return chain, []
        name = str(below)
    cure = "name a profile that does not lead back to it"
    return [], [tree.problem(("profiles", chain[-1], OVER), "these profiles lie over each other", cure)]


def _lay(tree: Tree, name: str) -> None:
    at: KeyPath = ("profiles", name)
    written = {path[2:]: place for path, place in tree.places.items() if path[:2] == at and path != at}
    places = {path: replace(place, layer=1) for path, place in written.items()}
    if isinstance(profile := tree.get(at), dict):
        body = {key: value for key, value in profile.items() if key not in ("profiles", OVER)}
        _merge(tree, (), copy.deepcopy(body), places)


def _merge(tree: Tree, path: KeyPath, value: Any, places: dict[KeyPath, Place]) -> None:
    if isinstance(value, dict) and isinstance(tree.get(path), dict):
        for key, inner in value.items():
            _merge(tree, (*path, key), inner, places)
    else:
        tree.put(path, value, {p: place for p, place in places.items() if p[: len(path)] == path})


def check_profiles(tree: Tree, keys: Collection[str]) -> list[Problem]:
    """Unknown top-level keys of every profile, chosen or not."""
    allowed = [OVER, *(key for key in keys if key != "profiles")]
    return [
        tree.problem(("profiles", name, key), "unknown key", suggestion(key, allowed), at_key=True)
        for name in tree.keys(("profiles",))
        for key in tree.keys(("profiles", name))
        if key not in allowed
    ]


def apply_set(tree: Tree, text: str) -> list[Problem]:
    """Write one `KEY=VALUE` over the tree; the value is read as YAML.

    A section that is not there is made, save a role or a data source: that is set whole.
    Messages show the key and never the value, which may be a secret put there by mistake.
    """
    key, equals, value = text.partition("=")
    if not equals or not re.fullmatch(r"[^\s.]+(\.[^\s.]+)*", key):
        shown = re.match(r"[\w.-]*", key)
        label = f"--set {shown[0] if shown else ''}".rstrip()
        return [Problem(label, "", "expected KEY=VALUE", "for example --set train.epochs=2")]
    label = f"--set {key}"
    path, fault = _open(tree, key.split("."), label)
    if fault is not None:
        return [fault]
    laid, problems = read_yaml(value, lambda _: label, path, layer=2)
    if not problems:
        tree.put(path, laid.data, laid.places or {path: Place(label, label, key, layer=2)})
    return problems


def _open(tree: Tree, parts: list[str], label: str) -> tuple[KeyPath, Problem | None]:
    """The key path the parts name, its parent sections made where they are missing."""
    if parts[0] == "profiles":
        return (), Problem(label, ".".join(parts), "profiles cannot be set", "choose one: --profile NAME")
    path: KeyPath = ()
    for depth, part in enumerate(parts):
        here = tree.get(path)
        if isinstance(here, list):
            if not part.isdigit() or int(part) >= len(here):
                cure = f"write 0 to {len(here) - 1}, or set the whole list" if here else "set the whole list"
                return path, Problem(label, dotted((*path, part)), f"there is no item {part}", cure)
            path = (*path, int(part))
        elif isinstance(here, dict):
            path = (*path, part)
        else:
            cure = f"set {dotted(path)} itself"
            return path, Problem(label, dotted(path), "this holds a value, not a section", cure)
        if depth == len(parts) - 1:
            break
        if tree.get(path) is None:
            if len(path) == 2 and path[0] in _NAMED:
                return path, _no_such(tree, path, label)
            tree.put(path, {}, {path: Place(label, label, dotted(path), layer=2)})
    return path, None


def _no_such(tree: Tree, path: KeyPath, label: str) -> Problem:
    name, known = str(path[1]), list(tree.keys(path[:1]))
    near = nearest(name, known)
    cure = f"did you mean '{near}'? " if near else ""
    cure += f"there are: {listing(known)}; " if known else ""
    cure += f"add a new one whole: --set '{dotted(path)}={{...}}'"
    return Problem(label, dotted(path), "there is no such entry", cure)
