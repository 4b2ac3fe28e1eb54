"""What stands beside the gate's own test: guard suites, the noise floor, alpha shared over rounds.

A guard asks another question than the gate: not whether the student got better, but whether a fall
by more than a margin can be ruled out (non-inferiority). Too few items rule nothing out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from synth.config import FlowFile, Gate
from synth.errors import DataError
from synth.figures import SPACE, level, probability
from synth.measure.change import change
from synth.measure.gate import Decision, GuardChange, Noise
from synth.measure.stats import items_needed, mean_not_worse, not_worse, wilson
from synth.records import Judged

__all__ = ["Exams", "check_sizes", "guard_change", "guarded", "noise_of", "spent"]

Exams = Mapping[str, Sequence[Judged]]
"""Guard's name -> its items as one student answered them."""


def spent(gate: Gate, rounds: int) -> tuple[Gate, int]:
    """The gate with one round's part of alpha, and the number of rounds that share it (Bonferroni)."""
    looks = rounds if gate.spend == "bonferroni" else 1
    return gate.model_copy(update={"alpha": gate.alpha / looks}), looks


def check_sizes(flow: FlowFile, sizes: Mapping[str, int]) -> None:
    """Raises `DataError` for a guard that could not hold even if no answer changed.

    `sizes` maps data sources to their number of questions.
    """
    gate, _ = spent(flow.gate, flow.rounds)
    for name, guard in gate.guards.items():
        needed = 1 if gate.metric == "score" else items_needed(guard.margin, gate.alpha)
        if sizes[guard.data] < needed:
            raise DataError(
                f"the guard {name!r} has {sizes[guard.data]} items, and no fewer than {needed} can rule out "
                f"a fall by {guard.margin:g} at alpha {gate.alpha:.3g}, even if no answer changes",
                f"give data.{guard.data} more items, or write a wider margin under gate.guards.{name}",
            )


def guard_change(
    name: str, before: Sequence[Judged], after: Sequence[Judged], gate: Gate, seed: int = 0
) -> GuardChange:
    """One guard suite under the gate's metric; `gate.alpha` is one-sided here."""
    margin = gate.guards[name].margin
    moved = change(before, after, gate.metric, seed)
    if gate.metric == "score":
        scores = {record.id: record.score for record in after}
        p_fall = mean_not_worse([scores[record.id] - record.score for record in before], margin)
    else:
        p_fall = not_worse(moved.gained, moved.lost, moved.n, margin)
    return GuardChange(**dict(moved), name=name, margin=margin, p_fall=p_fall, holds=p_fall < gate.alpha)


def guarded(decision: Decision, before: Exams, after: Exams, gate: Gate, seed: int = 0) -> Decision:
    """The decision with its guards: it promotes only if all of them hold."""
    guards = [guard_change(name, before[name], after[name], gate, seed) for name in gate.guards]
    broken = [guard for guard in guards if not guard.holds]
    decision = decision.model_copy(update={"guards": guards})
    if not broken or decision.decision == "keep":
        return decision
    reason = f"Kept the current student: {'; '.join(map(_said, broken))}. But for that: {decision.reason}"
    return decision.model_copy(update={"decision": "keep", "reason": reason})


def noise_of(first: Sequence[Judged], again: Sequence[Judged]) -> Noise:
    """The share of answers that turn between two exams of the same student."""
    moved = change(first, again, "accuracy")
    turned = moved.gained + moved.lost
    return Noise(n=moved.n, turned=turned, share=turned / moved.n, interval=wilson(turned, moved.n))


def _said(guard: GuardChange) -> str:
    unit = "" if guard.metric == "score" else f"{SPACE}points"
    margin = f"{guard.margin:g}" if guard.metric == "score" else f"{100 * guard.margin:g}"
    return (
        f"on the guard {guard.name} ({guard.n} items) it went from {level(guard.before, guard.metric)} to "
        f"{level(guard.after, guard.metric)}, and a fall by {margin}{unit} or more is not ruled out "
        f"(p{SPACE}{probability(guard.p_fall)})"
    )
