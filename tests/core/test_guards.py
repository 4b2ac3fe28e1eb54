"""Guards rule a fall out or keep a student out; noise and shared alpha are what they say."""

from __future__ import annotations

import random
from statistics import NormalDist

import pytest

from synth.config import FlowFile, Gate
from synth.errors import DataError
from synth.measure.gate import Decision, decide
from synth.measure.guards import check_sizes, guard_change, guarded, noise_of, spent
from synth.measure.stats import items_needed, mean_not_worse, not_worse
from synth.rounds.outcome import pace
from tests.core.test_gate import changes, judged

GATE = Gate.model_validate({"guards": {"basics": {"data": "guard", "margin": 0.05}}})


def test_tangos_test_has_the_size_it_claims() -> None:
    """Of students that fell by exactly the margin about one in twenty passes, not one in five."""
    rng, n, margin, passed = random.Random(1), 200, 0.05, 0
    for _ in range(2000):
        draws = [rng.random() for _ in range(n)]
        gained, lost = sum(d < 0.05 for d in draws), sum(0.05 <= d < 0.15 for d in draws)
        passed += not_worse(gained, lost, n, margin) < 0.05
    assert 0.03 < passed / 2000 < 0.07


def test_tangos_figures_agree_with_the_closed_form_without_changes() -> None:
    """With no answer changed z is sqrt(n m / (1 - m)); `items_needed` is where that suffices."""
    assert not_worse(0, 0, 100, 0.02) == pytest.approx(0.0766, abs=1e-3)
    needed = items_needed(0.02, 0.05)
    assert not_worse(0, 0, needed, 0.02) < 0.05 <= not_worse(0, 0, needed - 1, 0.02)
    assert not_worse(0, 10, 200, 0.05) == pytest.approx(0.5)
    assert not_worse(10, 0, 200, 0.05) < 0.001
    assert mean_not_worse([0.1, -0.1, 0.0, 0.0], 0.5) < 0.001 < 0.4 < mean_not_worse([-0.5, -0.4, -0.6], 0.5)


def test_tangos_example_comes_out_as_published() -> None:
    """44 pairs, one lost, none gained, margin 0.1: z = 1.709 (Tango, Statistics in Medicine 17, 1998)."""
    assert not_worse(0, 1, 44, 0.1) == pytest.approx(1 - NormalDist().cdf(1.709), abs=2e-4)


def test_a_broken_guard_keeps_out_what_the_gate_would_promote() -> None:
    """The reason names the guard, both levels and the margin, and what was promoted but for it."""
    before, after = changes(gained=20, lost=2)
    decision = decide(before, after, GATE)
    fell = changes(gained=0, lost=10, both=180)
    kept = guarded(decision, {"basics": fell[0]}, {"basics": fell[1]}, GATE)
    assert (decision.decision, kept.decision) == ("promote", "keep")
    assert "on the guard basics (200 items) it went from 95.0" in kept.reason
    assert "But for that: Promoted the new student" in kept.reason
    assert not kept.guards[0].holds
    held = guarded(decision, {"basics": before * 1}, {"basics": before}, GATE)
    assert held.decision == "keep", "42 items cannot rule out a fall by 5 points"
    same = judged([True] * 60)
    assert guarded(decision, {"basics": same}, {"basics": same}, GATE).decision == "promote"
    assert Decision.model_validate_json(kept.model_dump_json()) == kept


def test_guards_of_scores_are_held_in_their_unit() -> None:
    """A mean score that fell by a tenth breaks a margin of 0.05 and not one of 0.2."""
    before = [
        record.model_copy(update={"score": 0.5 + 0.01 * (i % 3)})
        for i, record in enumerate(judged([True] * 50))
    ]
    after = [record.model_copy(update={"score": record.score - 0.1}) for record in before]
    for margin, holds in ((0.05, False), (0.2, True)):
        gate = Gate.model_validate(
            {"metric": "score", "test": "bootstrap", "guards": {"g": {"data": "x", "margin": margin}}}
        )
        assert guard_change("g", before, after, gate).holds is holds


def flow(**gate: object) -> FlowFile:
    sources = {name: {"source": "tasks"} for name in ("test", "guard", "pool")}
    return FlowFile.model_validate(
        {"flow": "stat", "models": {"student": {"model": "m"}}, "data": sources, "gate": gate, "rounds": 4}
    )


def test_a_guard_too_small_for_its_margin_is_refused_before_anything_starts() -> None:
    """With the items it would need; shared alpha needs more of them."""
    guards = {"g": {"data": "guard", "margin": 0.1}}
    check_sizes(flow(guards=guards, spend="none"), {"guard": 25})
    with pytest.raises(DataError, match="no fewer than 25"):
        check_sizes(flow(guards=guards, spend="none"), {"guard": 24})
    with pytest.raises(DataError, match=r"at alpha 0\.0125"):
        check_sizes(flow(guards=guards), {"guard": 25})


def test_guard_sources_are_held_out_after_the_test() -> None:
    """Training is kept from them, and they from the test; a guard on test or pool is refused."""
    assert flow(guards={"g": {"data": "guard"}}).held_out == ("test", "guard")
    for bad in ("pool", "test", "nothing"):
        with pytest.raises(ValueError, match=f"data.{bad}"):
            flow(guards={"g": {"data": bad}})
    with pytest.raises(ValueError, match="part of file names"):
        flow(guards={"../g": {"data": "guard"}})


def test_noise_is_the_share_that_turns() -> None:
    """Either way counts."""
    noise = noise_of(*changes(gained=2, lost=1, both=4, neither=3))
    assert (noise.n, noise.turned, noise.share) == (10, 3, 0.3)


def test_alpha_is_shared_and_the_pace_follows_the_gates() -> None:
    """Bonferroni over the rounds unless told not to; half for each refusal in a row, whole again after a
    promotion."""
    assert spent(Gate(alpha=0.05), 5)[0].alpha == pytest.approx(0.01)
    whole = Gate(alpha=0.05, spend="none")
    assert spent(whole, 5) == (whole, 1)
    promoted, kept = decide(*changes(20, 2), Gate()), decide(*changes(2, 2), Gate())
    halve = Gate(on_reject="halve_lr")
    assert [pace(halve, earlier) for earlier in ([], [kept], [kept, kept], [kept, promoted])] == [
        1,
        0.5,
        0.25,
        1,
    ]
    assert pace(Gate(), [kept, kept]) == 1
