"""Recipes: the settings of a paper by name, laid under what a flow file writes of a training.

A recipe is a YAML file of the keys of `train`. The built-in ones lie in the students' room.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from synth.config.locate import locate, nearest_to
from synth.config.suggest import suggestion
from synth.config.tree import KeyPath, Tree
from synth.errors import Problem

__all__ = ["apply_recipes", "built_in", "launch_file"]


def built_in(kind: str) -> dict[str, Path]:
    """Name -> file of the students' `recipes`, or of their configurations of `accelerate`."""
    room = importlib.util.find_spec("synth.students")
    assert room is not None and room.submodule_search_locations
    return {file.stem: file for file in sorted(Path(room.submodule_search_locations[0], kind).glob("*.yaml"))}


def launch_file(name: str | None, flow_file: Path) -> Path | None:
    """The configuration of `accelerate` that a flow file names; None where it names none or none is there."""
    if name is None:
        return None
    return built_in("accelerate").get(name) or locate(name, flow_file)


def apply_recipes(tree: Tree, flow_file: Path) -> list[Problem]:
    """Lay every recipe that the tree names under the section that names it."""
    problems: list[Problem] = []
    for path in _trainings(tree):
        name = tree.get((*path, "recipe"))
        if isinstance(name, str):
            recipe, message, cure = _read(name, flow_file)
            if message:
                problems.append(tree.problem((*path, "recipe"), message, cure))
            _under(tree.get(path), recipe)
    return problems


def _trainings(tree: Tree) -> Iterator[KeyPath]:
    """Key paths of the sections that may name a recipe."""
    yield ("train",)
    yield ("warm_start", "train")
    for role in tree.keys(("learners",)):
        yield ("learners", role)


def _read(name: str, flow_file: Path) -> tuple[dict[str, Any], str, str]:
    """The recipe's settings, or none with a message and a cure."""
    known = built_in("recipes")
    file = known.get(name) or locate(name, flow_file)
    if file is None or not file.is_file():
        cure = nearest_to(name, flow_file) if "/" in name else suggestion(name, known, "recipes")
        return {}, f"there is no recipe '{name}'", cure or "name a built-in recipe or a YAML file"
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        return {}, f"the recipe {file} cannot be read: {error}", "write the keys of 'train', one a line"
    if not isinstance(found, dict) or "recipe" in found:
        return {}, f"{file} is no recipe", "write the keys of 'train', one a line, and no other recipe"
    return found, "", ""


def _under(written: dict[str, Any], recipe: dict[str, Any]) -> None:
    """Settings of the recipe where nothing is written; sections are merged."""
    for key, value in recipe.items():
        if key not in written:
            written[key] = value
        elif isinstance(written[key], dict) and isinstance(value, dict):
            _under(written[key], value)
