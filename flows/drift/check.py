"""What a DRIFT flow file needs beside the ordinary: a role and a data source, by how it detects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synth.engine.flow import NO_TRAINING
from synth.errors import Problem
from synth.flows.drift.params import Params

if TYPE_CHECKING:
    from synth.config import Loaded

__all__ = ["check"]

CONVERSATIONS = "conversations: {source: FILE, shape: conversations}"


def check(loaded: Loaded) -> list[Problem]:
    """Roles and sources that the chosen way of detecting, or the arm, asks for and that are not there."""
    params, flow = loaded.params, loaded.flow
    assert isinstance(params, Params)
    if params.arm == NO_TRAINING:
        return []
    problems = []
    why = f"detect: {params.detect}"
    simulated = params.detect == "simulator"
    role = {"simulator": "user", "rubric": "annotator"}.get(params.detect)
    if params.arm == "control-iterdpo" and not simulated:
        role, why = "annotator", f"the arm {params.arm} without a checker"
    if role is not None and role not in flow.models:
        wanted = f"add {role}: under models"
        problems.append(loaded.problem("models", f"{why} needs the role {role!r}", wanted))
    source = "pool" if simulated else "conversations"
    wanted = "pool: {source: instructions}" if simulated else CONVERSATIONS
    if source not in flow.data:
        problems.append(
            loaded.problem("data", f"detect: {params.detect} reads data.{source}", f"add {wanted}")
        )
    elif not simulated and flow.data[source].shape != "conversations":
        problems.append(loaded.problem(("data", source), "conversations are read here", f"write {wanted}"))
    return problems
