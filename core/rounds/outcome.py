"""How a round begins and ends on paper: its plan, its pace, and the decision with all that bears on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from synth.config import Gate, Train
from synth.engine.folder import RunFolder
from synth.engine.session import Session
from synth.measure.gate import Decision, decide
from synth.measure.guards import Exams, guarded, noise_of, spent
from synth.records import Judged
from synth.rounds.lesson import Champion, Champions, training_of

__all__ = ["Seen", "decision_of", "pace", "untrained_decision", "write_plan"]

HELD = ("dpo", "kto", "asft")
"""Objectives that hold the student to where it started."""


@dataclass(frozen=True)
class Seen:
    """The exams of a round; `again` is the second one of the current student, if there was one."""

    before: Sequence[Judged]
    after: Sequence[Judged]
    guards_before: Exams
    guards_after: Exams
    again: Sequence[Judged] | None = None


def pace(gate: Gate, earlier: Sequence[Decision]) -> float:
    """Share of the learning rates the next round trains with: under `on_reject: halve_lr` half for
    every round refused since the last one let through, else 1."""
    refused = 0
    for decision in earlier:
        refused = 0 if decision.decision == "promote" else refused + 1
    return 0.5**refused if gate.on_reject == "halve_lr" else 1.0


def write_plan(session: Session, champions: Champions) -> None:
    """`plan.json`: what the round starts from and will do."""
    flow, champion = session.flow, champions["student"]
    train = training_of(session, "student")
    others = {role: other.weights for role, other in champions.items() if role != "student"}
    plan = {
        "round": session.round,
        "arm": session.params.arm,
        "start": champion.title,
        "weights": champion.weights,
        "reference": _reference(train, champion),
        "data": {name: len(session.questions(name)) for name in flow.data},
        "test_items": len(session.questions("test")),
        "budget": flow.budget.model_dump(),
        "pace": session.pace,
        "train": train.model_dump(),
    }
    plan |= {"learners": others} if others else {}
    plan |= {"curriculum": flow.curriculum.model_dump()} if flow.curriculum else {}
    RunFolder.write_json(session.folder.round(session.round) / "plan.json", plan)


def _reference(train: Train, champion: Champion) -> str | None:
    """The weights that training holds the student to, which are those it starts from; None without any."""
    held = train.objective in HELD or (train.objective == "grpo" and train.grpo.beta > 0)
    return champion.weights if held else None


def decision_of(session: Session, seen: Seen) -> Decision:
    """The gate's decision, its guards and its noise floor."""
    flow = session.flow
    gate, looks = spent(flow.gate, flow.rounds)
    decision = decide(seen.before, seen.after, gate, flow.seed)
    noise = noise_of(seen.before, seen.again) if seen.again is not None else None
    decision = decision.model_copy(update={"looks": looks, "noise": noise})
    return guarded(decision, seen.guards_before, seen.guards_after, gate, flow.seed)


def untrained_decision(session: Session, before: Sequence[Judged], again: Sequence[Judged]) -> Decision:
    """Of the arm without training: the same student asked anew, so that what differs is noise."""
    decision = decide(before, again, session.flow.gate, session.flow.seed)
    reason = f"Nothing was trained; the same student examined twice: {decision.reason}"
    noise = noise_of(before, again)
    return decision.model_copy(update={"decision": "keep", "reason": reason, "noise": noise})
