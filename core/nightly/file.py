"""The night file: which flows, what limits, what is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator

from synth.config import Strict, locate
from synth.config.explain import explain
from synth.config.source import read_source
from synth.config.yaml_tree import read_yaml
from synth.errors import ConfigError, Problem

__all__ = ["Keep", "Limits", "Mail", "NightFile", "Turn", "read_night"]


class Turn(Strict):
    """One flow of the night."""

    flow: str
    """Its flow file, from the current directory or from the night file's folder."""
    profile: str | None = None
    """Profile of the flow file to overlay."""
    set: tuple[str, ...] = ()
    """Overrides, each `KEY=VALUE` as for `synth run --set`."""


class Limits(Strict):
    """Hard limits of a whole night; what is left of them is each flow's budget."""

    hours: float | None = Field(default=None, gt=0)
    """Hours of work, over all starts of the night."""
    tokens: int | None = Field(default=None, gt=0)
    """Prompt plus completion tokens of all paid calls."""
    money: float | None = Field(default=None, gt=0)
    """Money in the currency of the flows' `prices`; every flow needs some."""
    disk: float | None = Field(default=None, gt=0)
    """GiB that the folder of all nights may hold."""


class Keep(Strict):
    """What old nights leave behind. Data, journals, gates and reports always stay."""

    champions: int = Field(default=3, gt=0)
    """Champions whose weights stay, the current one among them."""
    days: float = Field(default=14, ge=0)
    """Days after which the weights that a night's runs trained are deleted."""


class Mail(Strict):
    """Where the summary is sent by mail."""

    to: tuple[str, ...] = Field(min_length=1)
    sender: str = "synth@localhost"
    server: str = Field(default="localhost", pattern=r"^[\w.-]+(:\d+)?$")
    """HOST or HOST:PORT of an SMTP server; port 25 by default."""
    tls: bool = False
    """Whether to ask for encryption (STARTTLS) before anything is said."""
    user: str | None = None
    password: str | None = Field(default=None, pattern="^env:.+")
    """`env:NAME`, the variable that holds it; a password itself is refused."""


class NightFile(Strict):
    """A night: flows in turn on one student."""

    name: str | None = None
    """Name of the folder of all nights; by default the night file's."""
    flows: tuple[Turn, ...] = Field(min_length=1)
    limits: Limits = Limits()
    keep: Keep = Keep()
    webhook: str | None = None
    """Where the summary is sent, by POST: a web address, or `env:NAME`, a variable that holds one."""
    mail: Mail | None = None

    @field_validator("name")
    @classmethod
    def _folder_name(cls, name: str | None) -> str | None:
        if name is not None and (not name or name.startswith(".") or "/" in name):
            raise ValueError("a folder bears this name; write one without slashes or a leading dot")
        return name

    @field_validator("webhook")
    @classmethod
    def _address(cls, webhook: str | None) -> str | None:
        if webhook is not None and not webhook.startswith("env:"):
            parts = urlsplit(webhook)
            if parts.scheme not in ("http", "https") or not parts.netloc or "@" in parts.netloc:
                raise ValueError("this is no web address; write one, or env:NAME")
        return webhook


def read_night(path: Path) -> NightFile:
    """Read and check a night file; its flow files are found. Raises `ConfigError` with every problem."""
    tree, problems = read_yaml(read_source(path), lambda mark: f"{path}:{mark.line + 1}:{mark.column + 1}")
    if problems or not isinstance(tree.data, dict):
        raise ConfigError(problems or [Problem(f"{path}:1:1", "", "no night file", "begin with 'flows:'")])
    try:
        night = NightFile.model_validate_json(json.dumps(_spelt_out(tree.data)), strict=True)
    except ValidationError as error:
        raise ConfigError(explain(error, NightFile, tree)) from None
    lost = [
        tree.problem(("flows", index), f"there is no flow file {turn.flow}", "check the path")
        for index, turn in enumerate(night.flows)
        if locate(turn.flow, path) is None
    ]
    if lost:
        raise ConfigError(lost)
    return night.model_copy(update={"name": night.name or path.stem})


def _spelt_out(data: dict[str, Any]) -> dict[str, Any]:
    """A flow without settings may stand as its file's name alone."""
    flows = data.get("flows")
    if not isinstance(flows, list):
        return data
    return {**data, "flows": [{"flow": flow} if isinstance(flow, str) else flow for flow in flows]}
