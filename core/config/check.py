"""What a flow file refers to: data files, programs, models, keys in the environment."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from synth.config.flowfile import FlowFile, ModelSpec, Train
from synth.config.load import Loaded
from synth.config.locate import locate, make_importable, nearest_to
from synth.config.recipes import built_in, launch_file
from synth.config.suggest import suggestion
from synth.errors import DataError, Problem

__all__ = ["DATA_SUFFIXES", "check_files"]

DATA_SUFFIXES = (".jsonl", ".parquet", ".csv")
"""Files of rows that a `source` may name; a folder holds one kind of them."""
PROCEDURAL = ("tasks", "instructions", "topics")
"""Built-in sources, whose questions are made."""

Resolvable = Callable[[str], str | None]
_Fault = tuple[str, str]  # message and cure


def check_files(
    loaded: Loaded,
    base: Path,
    *,
    resolvable: Resolvable | None = None,
    roles: Collection[str] | None = None,
) -> list[Problem]:
    """Everything the flow file names that is not there; nothing is started or downloaded.

    `base` is the current directory. `resolvable` says why a local model cannot be had, or
    None if it can. Only `roles` are looked at, by default all.
    """
    problems: list[Problem] = []
    for role, spec in loaded.flow.models.items():
        if roles is None or role in roles:
            for key, message, cure in _of_role(spec, loaded.path, base, resolvable):
                problems.append(loaded.problem(("models", role, key), message, cure))
    for name, data in loaded.flow.data.items():
        fault = _of_source(data.source, loaded.path, base)
        if fault is not None:
            problems.append(loaded.problem(("data", name, "source"), *fault))
        if data.families and data.source not in PROCEDURAL:
            message = f"families are of the built-in sources, not of {data.source}"
            cure = f"write one of: {', '.join(PROCEDURAL)}, or leave families out"
            problems.append(loaded.problem(("data", name, "families"), message, cure))
    for position, name in enumerate(loaded.flow.curate.decontaminate):
        fault = None if name in loaded.flow.data else _of_source(name, loaded.path, base)
        if fault is not None:
            problems.append(loaded.problem(("curate", "decontaminate", position), *fault))
    if (
        loaded.flow.curate.judge is not None
        and locate(loaded.flow.curate.judge.gold, loaded.path, base) is None
    ):
        gold = loaded.flow.curate.judge.gold
        cure = _cure_of_path(gold, loaded.path, base)
        problems.append(loaded.problem("curate.judge.gold", f"there is no file {gold}", cure))
    for place, train in _trainings(loaded.flow):
        if train.launch and launch_file(train.launch, loaded.path) is None:
            message = f"there is no configuration of accelerate '{train.launch}'"
            cure = suggestion(train.launch, built_in("accelerate"), "built in") or "name a YAML file"
            problems.append(loaded.problem(f"{place}.launch", message, cure))
    for place, reference in _functions(loaded.flow):
        make_importable(loaded.path, base)
        fault = _of_program(reference)
        if fault is not None:
            problems.append(loaded.problem(place, *fault))
    return problems


def _functions(flow: FlowFile) -> Iterator[tuple[str, str]]:
    """Dotted key and name of every function of the user's, those in the place of models excepted."""
    if ":" in flow.evaluate.verifier:
        yield "evaluate.verifier", flow.evaluate.verifier
    for place, train in _trainings(flow):
        if train.trainer is not None:
            yield f"{place}.trainer", train.trainer
    if flow.warm_start is not None:
        yield "warm_start.program", flow.warm_start.program
        if flow.warm_start.dialogue is not None:
            yield "warm_start.dialogue", flow.warm_start.dialogue


def _trainings(flow: FlowFile) -> Iterator[tuple[str, Train]]:
    """Dotted key and settings of everything that is trained."""
    yield "train", flow.train
    if flow.warm_start is not None:
        yield "warm_start.train", flow.warm_start.train
    for role, train in flow.learners.items():
        yield f"learners.{role}", train


def _of_role(
    spec: ModelSpec, flow_file: Path, base: Path, resolvable: Resolvable | None
) -> Iterator[tuple[str, str, str]]:
    """Key, message and cure of every fault."""
    if spec.api_key is not None:
        name = spec.api_key.removeprefix("env:")
        if not os.environ.get(name):
            yield "api_key", f"the variable {name} is not set", f"set it before the run: export {name}=..."
    if spec.program is not None:
        make_importable(flow_file, base)
        fault = _of_program(spec.program)
    elif spec.kind == "local" and isinstance(spec.model, str):
        fault = _of_model(spec.model, flow_file, base, resolvable)
    else:
        fault = None
    if spec.base_urls is not None and not Path(spec.base_urls).exists():
        cure = "make it, with an address a line; or a folder where every server puts such a file"
        yield "base_urls", f"there is no file or folder {spec.base_urls}", cure
    if fault is not None:
        yield "program" if spec.program is not None else "model", *fault


def _of_model(model: str, flow_file: Path, base: Path, resolvable: Resolvable | None) -> _Fault | None:
    cure = "name an alias, a hub id (owner/name), a folder, or {scratch: tiny}"
    found = locate(model, flow_file, base)
    if found is None and model.startswith((".", "/", "~")):
        return f"there is no folder {model}", nearest_to(model, flow_file, base) or cure
    reason = resolvable(str(found or model)) if resolvable else None
    return (reason, cure) if reason else None


def _of_program(reference: str) -> _Fault | None:
    """Why `module:function` leads to nothing that can be called."""
    module_name, _, name = reference.partition(":")
    if not name or not all(part.isidentifier() for part in module_name.split(".")):
        return f"expected module:function, found '{reference}'", "for example my_project.teachers:answer"
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        message = f"'{module_name}' cannot be imported: {type(error).__name__}: {error}"
        return message, "put it into the current directory or beside the flow file, or install it"
    function = getattr(module, name, None)
    if function is None:
        known = [
            one
            for one, value in vars(module).items()
            if callable(value) and getattr(value, "__module__", "") == module_name and one[0] != "_"
        ]
        return f"'{module_name}' has no '{name}'", suggestion(name, known, "it has") or "define it there"
    if not callable(function):
        kind = type(function).__name__
        return f"'{name}' is a value of type {kind}, not a function", "name a function from messages to text"
    return None


def _of_source(source: str, flow_file: Path, base: Path) -> _Fault | None:
    if source in PROCEDURAL:
        return None
    if source.startswith("hub:"):
        if source.count("/") == 1 and not source.endswith("/") and "hub:/" not in source:
            return None
        return f"expected hub:owner/name, found '{source}'", "for example hub:openai/gsm8k"
    if "://" in source:
        return _of_url(source)
    found = locate(source, flow_file, base)
    if found is None:
        return f"there is no file or folder {source}", _cure_of_path(source, flow_file, base)
    return _of_folder(found) if found.is_dir() else _of_file(found)


def _of_url(source: str) -> _Fault | None:
    """Whether anything reads it; what is there is found out when it is read."""
    from synth.data.remote import filesystem  # lazy: it needs the flow file's own package

    try:
        filesystem(source)
    except DataError as error:
        return error.what, error.cure
    return None


def _cure_of_path(source: str, flow_file: Path, base: Path) -> str:
    near = nearest_to(source, flow_file, base)
    if near:
        return near
    if source.count("/") == 1 and not Path(source).suffix and not source.startswith((".", "/", "~")):
        return f"a data set of the hub is written hub:{source}"
    return "write tasks, hub:owner/name, or a path from the current directory or the flow file's folder"


def _of_file(file: Path) -> _Fault | None:
    if file.suffix not in DATA_SUFFIXES:
        return f"{file} is not of a kind that is read", f"convert it to one of {', '.join(DATA_SUFFIXES)}"
    if file.stat().st_size == 0:
        return f"{file} is empty", "write rows into it, in a .jsonl file one JSON object a line"
    if not os.access(file, os.R_OK):
        return f"{file} may not be read", "check its permissions"
    return None


def _of_folder(folder: Path) -> _Fault | None:
    kinds = {file.suffix for file in folder.rglob("*")}.intersection(DATA_SUFFIXES)
    if len(kinds) == 1:
        return None
    cure = f"put files of one kind into it: {', '.join(DATA_SUFFIXES)}"
    if not kinds:
        return f"the folder {folder} holds no data", cure
    return f"the folder {folder} mixes kinds of files: {', '.join(sorted(kinds))}", cure
