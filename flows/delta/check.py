"""What goes wrong silently in Delta Learning, found before a run: `synth check`."""

from __future__ import annotations

from collections.abc import Iterator

from synth.config import Loaded
from synth.engine.flow import NO_TRAINING
from synth.errors import Problem
from synth.flows.delta.params import Params

__all__ = ["check"]

EDGE = 1.0
"""Betas of averaged log-probabilities lie above it (5 to 10), those of summed ones below (0.1)."""


def check(loaded: Loaded) -> list[Problem]:
    """Roles that nobody plays, and settings of the training that do not go with the arm."""
    params = loaded.params
    assert isinstance(params, Params)
    if params.arm == NO_TRAINING:
        return []
    found = [*_roles(loaded, params), *_objective(loaded, params)]
    return found if params.arm == "control-sft" else [*found, *_loss(loaded, params)]


def _roles(loaded: Loaded, params: Params) -> Iterator[Problem]:
    known = loaded.flow.models
    named = [("chosen", params.chosen), ("rejected", params.second), *(("ladder", r) for r in params.ladder)]
    for key, role in named:
        if role not in known:
            cure = f"name one of: {', '.join(known)}, or add models.{role}"
            yield loaded.problem(("with", key), f"no model plays the role '{role}'", cure)
        elif key == "ladder" and role in _RESERVED:
            cure = "give the role another name under models"
            yield loaded.problem(("with", key), f"a further rung may not be called '{role}'", cure)
    if params.chosen == params.rejected and params.arm != "control-tied":
        message = f"both sides are the role '{params.chosen}', so every pair is one greedy answer twice"
        yield loaded.problem("with.rejected", message, "name another role, or write arm: control-tied")


_RESERVED = ("chosen", "rejected", "identical")
"""Names that the measurements of a pair have already."""


def _objective(loaded: Loaded, params: Params) -> Iterator[Problem]:
    wanted = "sft" if params.arm == "control-sft" else "dpo"
    if loaded.flow.train.objective != wanted:
        message = f"the arm '{params.arm}' makes data for {wanted}"
        yield loaded.problem("train.objective", message, f"write objective: {wanted}")


def _loss(loaded: Loaded, params: Params) -> Iterator[Problem]:
    dpo = loaded.flow.train.dpo
    if not params.unusual_beta and dpo.averaged and dpo.beta < EDGE:
        message = f"beta {dpo.beta:g} hardly holds the student where log-probabilities are averaged"
        yield loaded.problem("train.dpo.beta", message, f"write 5 to 10, {_ALLOW}")
    if not params.unusual_beta and not dpo.averaged and dpo.beta > EDGE:
        message = f"beta {dpo.beta:g} belongs to averaged log-probabilities, and here they are summed"
        yield loaded.problem(
            "train.dpo.beta", message, f"write length_normalised: true, or a beta near 0.1, {_ALLOW}"
        )
    if params.arm == "faithful" and dpo.stop_when_both_fall is not None:
        message = "the published method does not stop when both answers fall"
        cure = "write stop_when_both_fall: null for the faithful arm"
        yield loaded.problem("train.dpo.stop_when_both_fall", message, cure)
    if params.arm == "faithful" and loaded.flow.train.overlong != "cut":
        message = "the published method cuts answers that are too long and ends them there"
        yield loaded.problem("train.overlong", message, "write overlong: cut for the faithful arm")


_ALLOW = "or allow it: with.unusual_beta: true"
