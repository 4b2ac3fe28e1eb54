"""Flow files written from text into an empty current directory."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from config_flows import Faults, Load, params_of

from synth.config import Loaded, load_flow
from synth.errors import ConfigError, Problem


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Writes `text` to `flow.yaml` in an empty current directory and loads it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def load_text(text: str | bytes, **options: Any) -> Loaded:
        data = textwrap.dedent(text).encode() if isinstance(text, str) else text
        Path("flow.yaml").write_bytes(data)
        return load_flow(Path("flow.yaml"), **{"params": params_of, **options})

    return load_text


@pytest.fixture
def faults(load: Load) -> Faults:
    """The problems of a flow file that must not load."""

    def of(text: str | bytes, **options: Any) -> list[Problem]:
        with pytest.raises(ConfigError) as caught:
            load(text, **options)
        return caught.value.problems

    return of
