"""Flows: one published method each, as LangGraph graphs built from agents, with a YAML to run it."""

from __future__ import annotations

import importlib

from synth.engine import Flow
from synth.errors import SynthError

__all__ = ["BUILT_IN", "load_flow_module"]

BUILT_IN = {
    "agentinstruct": "synth.flows.agentinstruct:build",
    "delta": "synth.flows.delta:build",
    "spar": "synth.flows.spar:build",
    "drift": "synth.flows.drift:build",
    "stat": "synth.flows.stat:build",
}
"""Name in a flow file -> where the flow is built."""


def load_flow_module(name: str) -> Flow:
    """The flow a flow file names: a built-in one, or `package.module:build` of the user's.

    Raises `LookupError` for an unknown name (its argument: the known ones) and
    `ImportError` for a module or function that cannot be loaded.
    """
    reference = BUILT_IN.get(name, name)
    module_name, colon, function = reference.partition(":")
    if not colon:
        raise LookupError(sorted(BUILT_IN))
    module = importlib.import_module(module_name)
    build = getattr(module, function, None)
    if not callable(build):
        raise ImportError(f"{module_name} has no function {function!r}")
    flow = build()
    if not isinstance(flow, Flow):
        raise SynthError(
            f"{reference} returns {type(flow).__name__}, not a Flow", "return synth.engine.Flow(...)"
        )
    return flow
