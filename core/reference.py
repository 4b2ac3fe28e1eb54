"""What `module:name` in a flow file refers to."""

from __future__ import annotations

import importlib

from synth.errors import SynthError

__all__ = ["referred"]


def referred(reference: str, what: str, error: type[SynthError]) -> object:
    """The object, or an `error` that says which `what` cannot be loaded, and why."""
    module_name, _, name = reference.partition(":")
    try:
        found: object = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError, ValueError) as problem:
        raise error(
            f"the {what} {reference!r} cannot be loaded: {problem}",
            "write module:function, with the module importable from where synth runs",
        ) from problem
    return found
