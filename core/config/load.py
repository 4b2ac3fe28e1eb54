"""Reads a flow file: YAML, a profile, `--set`, the recipes named, then the models of `flowfile`.

Every problem is found before one is raised, each with its place, its key and a cure.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from synth.config.explain import Sections, explain
from synth.config.flowfile import FlowFile
from synth.config.locate import make_importable
from synth.config.overlay import apply_profile, apply_set, check_profiles
from synth.config.recipes import apply_recipes
from synth.config.shape import fields_of
from synth.config.source import read_source
from synth.config.suggest import suggestion
from synth.config.tree import KeyPath, Tree
from synth.config.yaml_fault import Mark
from synth.config.yaml_tree import read_yaml
from synth.errors import ConfigError, Problem, SynthError

__all__ = ["Loaded", "Params", "load_flow", "parse_flow"]

Params = Callable[[str], type[BaseModel]]
"""From a flow's name to the model of its `with` section; `LookupError(names)` if there is none such."""

_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True)
class Loaded:
    """A flow file that can be run, with the flow's own parameters and where all was written."""

    flow: FlowFile
    params: BaseModel | None
    path: Path
    tree: Tree

    def resolved(self) -> dict[str, Any]:
        """The whole flow file with defaults filled in and overlays applied, ready for JSON or YAML.

        Loading it again gives the same flow. No secret is in it: keys are `env:NAME`.
        """
        data = self.flow.model_dump(mode="json", by_alias=True, exclude={"profiles"})
        if self.params is not None:
            data["with"] = self.params.model_dump(mode="json", by_alias=True)
        return data

    def completed(self, earlier: Mapping[str, Any]) -> dict[str, Any]:
        """What `resolved` gave in an earlier version, with the settings that came since at their defaults."""
        try:
            data = FlowFile.model_validate(earlier).model_dump(
                mode="json", by_alias=True, exclude={"profiles"}
            )
            if self.params is not None:
                params = type(self.params).model_validate(earlier.get("with") or {})
                data["with"] = params.model_dump(mode="json", by_alias=True)
        except ValidationError:
            return dict(earlier)
        return data

    def problem(self, key: str | KeyPath, message: str, cure: str = "") -> Problem:
        """A problem with what stands under a dotted key (or key path), placed where it was written."""
        return self.tree.problem(tuple(key.split(".")) if isinstance(key, str) else key, message, cure)


def load_flow(
    path: Path,
    *,
    overrides: Sequence[str] = (),
    profile: str | None = None,
    params: Params | None = None,
) -> Loaded:
    """Read and check a flow file; `overrides` are `KEY=VALUE` as given to `--set`.

    `params` types the `with` section; without it that section stays as it is written.
    Raises `ConfigError` with every problem found.
    """
    return parse_flow(read_source(path), path, overrides=overrides, profile=profile, params=params)


def parse_flow(
    text: str,
    path: Path,
    *,
    overrides: Sequence[str] = (),
    profile: str | None = None,
    params: Params | None = None,
) -> Loaded:
    """As `load_flow`, of a flow file's text; `path` says where it stands."""
    tree, problems = read_yaml(text, partial(_at, path))
    if not isinstance(tree.data, dict):
        raise ConfigError(problems or [_no_mapping(path, tree)])
    if profile is not None:
        problems += apply_profile(tree, profile)
    for override in overrides:
        problems += apply_set(tree, override)
    problems += apply_recipes(tree, path)
    problems += check_profiles(tree, list(fields_of(FlowFile)))

    make_importable(path)
    model, faults = _params_model(tree, params)
    problems += faults
    sections = {key: kind for key, kind in fields_of(FlowFile).items() if fields_of(kind)}
    sections |= {"with": model} if model else {}
    sections[""] = FlowFile
    flow, faults = _validate(FlowFile, tree, (), sections)
    problems += faults
    typed = None
    if model is not None and isinstance(tree.data.get("with", {}), dict):
        typed, faults = _validate(model, tree, ("with",), sections)
        problems += faults
    if problems or flow is None:
        raise ConfigError(_in_order(problems))
    return Loaded(flow.model_copy(update={"name": flow.name or path.stem}), typed, path, tree)


def _at(path: Path, mark: Mark) -> str:
    return f"{path}:{mark.line + 1}:{mark.column + 1}"


def _no_mapping(path: Path, tree: Tree) -> Problem:
    where = tree.places[()].value if tree.places else f"{path}:1:1"
    cure = "begin with 'flow: NAME' and 'models:', one key a line"
    if tree.data is None:
        return Problem(where, "", "the file is empty", cure)
    found = "a list" if isinstance(tree.data, list) else "plain text"
    return Problem(where, "", f"expected keys with values, found {found}", cure)


def _params_model(tree: Tree, params: Params | None) -> tuple[type[BaseModel] | None, list[Problem]]:
    """The model of `with`. Importing a flow of the user's own may fail in any way."""
    name = tree.data.get("flow")
    if params is None or not isinstance(name, str):
        return None, []
    try:
        return params(name), []
    except (Exception, SystemExit) as error:
        return None, [tree.problem(("flow",), *_flow_fault(name, error))]


def _flow_fault(name: str, error: BaseException) -> tuple[str, str]:
    """Message and cure. A KeyError of a user's module is a LookupError too, but not the one meant."""
    if type(error) is LookupError:
        first = error.args[0] if error.args else ()
        known = [str(one) for one in first] if isinstance(first, list | tuple | set | frozenset) else []
        cure = suggestion(name, known, "flows") or "name a built-in flow, or module:function"
        return f"there is no flow '{name}'", cure
    if isinstance(error, SynthError):
        return error.what, error.cure
    kind = "" if isinstance(error, ImportError) else f"{type(error).__name__}: "
    cure = "write module:function, in the current directory, beside the flow file, or installed"
    return f"'{name}' cannot be loaded: {kind}{error}", cure


def _validate(
    model: type[_Model], tree: Tree, at: KeyPath, sections: Sections
) -> tuple[_Model | None, list[Problem]]:
    """The data at a key path as a model. Read as strict JSON: a list may be a tuple, `"2"` is no number."""
    text = json.dumps(tree.get(at) or {})
    extra: Literal["forbid"] | None = None if "extra" in model.model_config else "forbid"
    try:
        return model.model_validate_json(text, strict=True, extra=extra), []
    except ValidationError as error:
        return None, explain(error, model, tree, at, sections)


def _in_order(problems: list[Problem]) -> list[Problem]:
    """The first problem of every place and key, from the top of the file to its end."""

    def line(problem: Problem) -> tuple[int, ...]:
        numbers = problem.where.rsplit(":", 2)[1:]
        return tuple(int(number) for number in numbers if number.isdigit())

    first: dict[tuple[str, str], Problem] = {}
    for problem in problems:
        first.setdefault((problem.where, problem.key), problem)
    return sorted(first.values(), key=line)
