"""Who is examined: a model by name, an endpoint, a program, or a run's student."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from synth.config import FlowFile, Lora, ModelSpec
from synth.errors import ModelError, RunError
from synth.runs.runfiles import Part, read_json, read_yaml
from synth.teachers.http import HttpEndpoint
from synth.teachers.models import resolvable

__all__ = ["Examinee", "examinee"]


@dataclass(frozen=True)
class Examinee:
    """Who is examined: a model as a flow file would name it, and the adapter to put on it, if any."""

    title: str
    spec: ModelSpec
    adapter: Path | None = None
    version: str = ""
    """Version of the adapter's weights."""
    lora: Lora | None = None
    base: FlowFile | None = None
    """The run's flow file with its student alone, on which the adapter belongs."""


class _Trained(Part):
    weights: str


async def examinee(name: str, round_number: int | None, served: str | None, api_key: str | None) -> Examinee:
    """Who `name` is: a run's folder, an address, `module:function`, or a model by alias, hub id or folder.

    Raises `RunError` for a run without a student, `ModelError` for an unknown model.
    """
    if re.match(r"https?://", name):
        try:
            return await _endpoint(name, served, api_key)
        except ValidationError as error:
            said = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
            what, _, cure = said.partition("; ")
            raise ModelError(f"{name}: {what}", cure) from error
    folder = Path(name).expanduser()
    if (folder / "flow.yaml").is_file() and (folder / "rounds").is_dir():
        return _student(folder, round_number)
    if re.fullmatch(r"[\w.]+:\w+", name):
        return Examinee(name, ModelSpec(program=name))
    if reason := resolvable(name):
        raise ModelError(reason, "name a run's folder, an alias, a hub id, a folder, or http://HOST/v1")
    return Examinee(folder.resolve().name if folder.is_dir() else name, ModelSpec(model=name))


async def _endpoint(url: str, served: str | None, api_key: str | None) -> Examinee:
    """The model an endpoint serves; where it serves several, one has to be named."""
    spec = ModelSpec(base_url=url, model=served or "?", api_key=api_key)
    if served is None:
        key = os.environ.get(api_key.removeprefix("env:")) if api_key else None
        endpoint = HttpEndpoint(url, api_key=key, timeout=spec.timeout)
        try:
            names = sorted(await endpoint.served())
        finally:
            await endpoint.aclose()
        if len(names) != 1:
            raise ModelError(
                f"{url} serves {len(names)} models: {', '.join(names[:10])}", "name one of them with --served"
            )
        spec = spec.model_copy(update={"model": names[0]})
    return Examinee(f"{spec.model} at {url}", spec)


def _student(run: Path, wanted: int | None) -> Examinee:
    """The student of a run: of a round, or of the last round that trained one."""
    folders = (run / "rounds").glob("*/student")
    numbers = sorted(int(path.parent.name) for path in folders if path.parent.name.isdecimal())
    if not numbers or (wanted is not None and wanted not in numbers):
        which = f"round {wanted}" if wanted is not None else "any round"
        raise RunError(
            f"the run {run} has no student of {which}", "name another --round, or let it train one"
        )
    number = wanted if wanted is not None else numbers[-1]
    folder, title = run / "rounds" / str(number) / "student", f"{run.resolve().name}, round {number}"
    if not (folder / "adapter_config.json").is_file():
        return Examinee(title, ModelSpec(model=str(folder.resolve())))
    flow = FlowFile.model_validate(read_yaml(run / "flow.yaml", []))
    trained = read_json(folder.parent / "train" / "result.json", _Trained, [])
    return Examinee(
        title,
        flow.models["student"],
        adapter=folder.resolve(),
        version=trained.weights if trained else f"{run.resolve()}-{number}",
        lora=flow.train.lora or Lora(),
        base=flow.model_copy(update={"models": {"student": flow.models["student"]}, "learners": {}}),
    )
