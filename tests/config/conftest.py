"""A flow's parameters and a way to load a flow file from text, shared by these tests."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field
from synth.config import Loaded, Strict, load_flow
from synth.errors import ConfigError, Problem


class Params(Strict):
    """Parameters of a flow named `stat`."""

    arm: Literal["faithful", "fixed", "shuffled"] = "fixed"
    """Which variant of the method runs."""
    questions_per_skill: int = Field(default=5, gt=0)
    margin: float = 0.5
    refine: Literal["on", "off"] = "off"
    steps: int | Literal["auto"] = "auto"
    skills: tuple[str, ...] = ()


class Needy(Strict):
    """Parameters of a flow named `spar`, one of which has no default."""

    depth: int


FLOWS: dict[str, type[BaseModel]] = {"stat": Params, "spar": Needy}


def params_of(flow: str) -> type[BaseModel]:
    """What the command line hands to `load_flow`."""
    if ":" in flow:
        raise ImportError(f"No module named '{flow.partition(':')[0]}'")
    if flow not in FLOWS:
        raise LookupError(list(FLOWS))
    return FLOWS[flow]


Load = Callable[..., Loaded]
Faults = Callable[..., list[Problem]]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Writes `text` to `flow.yaml` in an empty current directory and loads it."""
    monkeypatch.chdir(tmp_path)

    def load_text(text: str | bytes, **options: Any) -> Loaded:
        data = textwrap.dedent(text).encode() if isinstance(text, str) else text
        Path("flow.yaml").write_bytes(data)
        return load_flow(Path("flow.yaml"), params=params_of, **options)

    return load_text


@pytest.fixture
def faults(load: Load) -> Faults:
    """The problems of a flow file that must not load."""

    def of(text: str | bytes, **options: Any) -> list[Problem]:
        with pytest.raises(ConfigError) as caught:
            load(text, **options)
        return caught.value.problems

    return of
