"""synth: agent flows make training data, a student learns from it and stays only if it got better."""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synth.agents import Agent
    from synth.api import Program, Run, run
    from synth.chat import Dropped
    from synth.engine import Context, Flow, FlowParams
    from synth.errors import SynthError
    from synth.export.dataset import dataset
    from synth.records import Sample, Sampling, Seed

try:
    __version__ = version("synth")
except PackageNotFoundError:  # a checkout that was never installed
    __version__ = "0.0.0"

__all__ = [
    "Agent",
    "Context",
    "Dropped",
    "Flow",
    "FlowParams",
    "Program",
    "Run",
    "Sample",
    "Sampling",
    "Seed",
    "SynthError",
    "__version__",
    "dataset",
    "run",
]

_HOMES = {
    "Agent": "synth.agents",
    "Program": "synth.api",
    "Run": "synth.api",
    "run": "synth.api",
    "Dropped": "synth.chat",
    "Context": "synth.engine",
    "Flow": "synth.engine",
    "FlowParams": "synth.engine",
    "SynthError": "synth.errors",
    "dataset": "synth.export",
    "Sample": "synth.records",
    "Sampling": "synth.records",
    "Seed": "synth.records",
}


def __getattr__(name: str) -> Any:
    """What is imported only when it is used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'synth' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
