"""What is wrong with a STAT flow file as a whole, said before anything is started."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from synth.config import FlowFile, Loaded
from synth.config.locate import locate
from synth.errors import DataError, Problem
from synth.flows.stat.catalogue import read_catalogue
from synth.flows.stat.params import Params

__all__ = ["check"]

Fault = tuple[str, str, str]
"""Dotted key, message, cure."""


def check(loaded: Loaded) -> list[Problem]:
    """Settings that do not go together, and a catalogue that cannot be read."""
    params = loaded.params
    assert isinstance(params, Params)
    faults = (*_of_models(loaded.flow, params), *_of_params(loaded.path, params))
    return [loaded.problem(*fault) for fault in faults]


def _of_models(flow: FlowFile, params: Params) -> Iterator[Fault]:
    reward, embedder = flow.models.get("reward"), flow.models.get("embedder")
    if params.detect == "reward" and reward is None:
        cure = "add models.reward, a process reward model with its api, or take detect: consistency"
        yield "with.detect", "reward asks a model in the role 'reward', and there is none", cure
    wanted = "pooling" if params.reward_layout == "marked" else "classify"
    if params.detect == "reward" and reward and reward.kind != "program" and reward.api != wanted:
        message = f"reward_layout: {params.reward_layout} is for api: {wanted}, not {reward.api}"
        cure = "write api: pooling for the layout marked, api: classify for turns and prefixes"
        yield "models.reward.api", message, cure
    if embedder and embedder.kind != "program" and embedder.api != "embeddings":
        yield "models.embedder.api", f"an embedder is not asked for {embedder.api}", "write api: embeddings"


def _of_params(flow_file: Path, params: Params) -> Iterator[Fault]:
    if params.mode == "syn" and params.agreement > params.solutions:
        message = f"{params.solutions} solutions cannot agree {params.agreement} times"
        yield "with.agreement", message, "ask for more solutions, or for less agreement"
    if params.catalogue in ("data", "teacher"):
        return
    found = locate(params.catalogue, flow_file)
    if found is None:
        cure = "write data, teacher, or a YAML file of skills"
        yield "with.catalogue", f"there is no file {params.catalogue}", cure
        return
    try:
        read_catalogue(found)
    except DataError as error:
        yield "with.catalogue", error.what, error.cure
