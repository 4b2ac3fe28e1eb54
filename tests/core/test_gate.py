"""The gate promotes on evidence only, and refuses comparisons that are none."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from synth.config.flowfile import Gate
from synth.errors import SynthError
from synth.measure.gate import Decision, decide
from synth.measure.stats import holm, mcnemar
from synth.records import Judged


def judged(
    correct: Sequence[bool], strict: Sequence[bool] | None = None, families: str = "ab"
) -> list[Judged]:
    """Items 0, 1, … of families in turn, with these results."""
    strict = strict or correct
    return [
        Judged(
            id=str(i),
            family=families[i % len(families)],
            question="q",
            answer="a",
            response="r",
            extracted="e",
            correct=correct[i],
            strict=strict[i],
        )
        for i in range(len(correct))
    ]


def changes(gained: int, lost: int, both: int = 10, neither: int = 10) -> tuple[list[Judged], list[Judged]]:
    """Two sides with so many items gained and lost."""
    before = [False] * gained + [True] * lost + [True] * both + [False] * neither
    after = [True] * gained + [False] * lost + [True] * both + [False] * neither
    return judged(before), judged(after)


def test_a_clear_gain_is_promoted_with_its_figures() -> None:
    """All the report rests on: counts, shares, difference, interval, p, sentence."""
    decision = decide(*changes(gained=20, lost=2), Gate())
    assert decision.decision == "promote"
    assert (decision.n, decision.gained, decision.lost) == (42, 20, 2)
    assert decision.before == pytest.approx(12 / 42)
    assert decision.after == pytest.approx(30 / 42)
    assert decision.difference == pytest.approx(18 / 42)
    assert decision.p_value == mcnemar(20, 2)
    assert decision.difference_interval.low < decision.difference < decision.difference_interval.high
    assert decision.before_interval.low < decision.before < decision.before_interval.high
    assert decision.reason.startswith("Promoted the new student: 71.4\N{NO-BREAK SPACE}% of 42 items right")


@pytest.mark.parametrize("test", ["mcnemar", "bootstrap"])
def test_a_significant_loss_is_never_promoted(test: str) -> None:
    """Significance has no direction; the gate has one."""
    decision = decide(*changes(gained=2, lost=30), Gate.model_validate({"test": test}))
    assert decision.decision == "keep"
    assert decision.p_value < 0.001
    assert "no gain" in decision.reason


@pytest.mark.parametrize("test", ["mcnemar", "bootstrap"])
def test_a_gain_within_chance_is_kept(test: str) -> None:
    """Three more items of fifty are no evidence under either test."""
    decision = decide(*changes(gained=6, lost=3, both=20, neither=20), Gate.model_validate({"test": test}))
    assert decision.decision == "keep"
    assert decision.difference > 0
    assert "but" in decision.reason


def test_alpha_is_the_bar() -> None:
    """7 gained and 1 lost is p = 0.070: it passes at 0.1 and not at 0.05."""
    sides = changes(gained=7, lost=1)
    assert decide(*sides, Gate(alpha=0.05)).decision == "keep"
    assert decide(*sides, Gate(alpha=0.1)).decision == "promote"


def test_bootstrap_uses_the_interval_at_alpha() -> None:
    """At 0.05 the interval of 14 gained, 5 lost leaves out zero; at 0.001 it does not."""
    sides = changes(gained=14, lost=5, both=30, neither=30)
    assert decide(*sides, Gate(test="bootstrap", alpha=0.05)).decision == "promote"
    assert decide(*sides, Gate(test="bootstrap", alpha=0.001)).decision == "keep"


def test_strict_figures_stand_beside_and_can_decide() -> None:
    """A student that learned the format but nothing else: strict gains, accuracy does not."""
    correct = [True] * 20 + [False] * 20
    before = judged(correct, strict=[False] * 40)
    after = judged(correct, strict=[True] * 20 + [False] * 20)
    loose = decide(before, after, Gate())
    assert (loose.decision, loose.difference, loose.strict.difference) == ("keep", 0.0, 0.5)
    strict = decide(before, after, Gate(metric="strict_accuracy"))
    assert (strict.decision, strict.metric, strict.gained) == ("promote", "strict_accuracy", 20)
    assert strict.accuracy.difference == 0.0


def test_families_carry_raw_and_adjusted_p() -> None:
    """Looking at many families must not make one of them significant by itself."""
    before = judged([False] * 60, families="abc")
    after = judged([i % 3 == 0 and i < 18 for i in range(60)], families="abc")
    families = decide(before, after, Gate()).families
    assert [f.family for f in families] == ["a", "b", "c"]
    assert [(f.n, f.gained, f.lost) for f in families] == [(20, 6, 0), (20, 0, 0), (20, 0, 0)]
    assert [f.p_holm for f in families] == holm([f.p_value for f in families])
    assert families[0].p_value < 0.05 < families[0].p_holm


def scored(values: Sequence[float]) -> list[Judged]:
    """Items with a score of their own, right from 0.5 on."""
    right = judged([value >= 0.5 for value in values])
    return [item.model_copy(update={"score": value}) for item, value in zip(right, values, strict=True)]


SCORES = [i / 40 for i in range(40)]


@pytest.mark.parametrize("test", ["wilcoxon", "bootstrap"])
def test_a_mean_score_can_decide(test: str) -> None:
    """Small steps on many items are a gain that no item passing a bar would show."""
    settings = Gate.model_validate({"metric": "score", "test": test})
    better = decide(scored(SCORES), scored([s + 0.004 + s / 100 for s in SCORES]), settings)
    assert (better.decision, better.metric, better.gained, better.lost) == ("promote", "score", 40, 0)
    assert better.before == pytest.approx(sum(SCORES) / 40)
    assert better.difference == pytest.approx(0.004 + sum(SCORES) / 4000)
    assert better.before_interval.low < better.before < better.before_interval.high
    assert better.accuracy.difference == 0
    assert better.score is not None and better.score.p_value == better.p_value < 1e-6
    assert better.reason.startswith(
        "Promoted the new student: mean score 0.496 over 40 items, 0.487 before; "
    )
    assert "%" not in better.reason and "points" not in better.reason
    assert [f.metric for f in better.families] == ["score", "score"]


def test_a_lower_or_a_noisy_score_is_kept() -> None:
    """The direction counts, and a difference that items do not share is chance."""
    settings = Gate(metric="score", test="wilcoxon")
    lower = decide(scored(SCORES), scored([s - 0.01 for s in SCORES]), settings)
    assert lower.decision == "keep" and "no gain" in lower.reason
    noise = (0.3, -0.1, 0.1, -0.29)
    noisy = decide(scored(SCORES), scored([s + noise[i % 4] for i, s in enumerate(SCORES)]), settings)
    assert noisy.decision == "keep" and noisy.difference > 0 and "but Wilcoxon" in noisy.reason


def test_scores_stand_beside_where_they_say_more() -> None:
    """A plain right or wrong has no third row; a score that differs from it has."""
    assert decide(*changes(gained=3, lost=1), Gate()).score is None
    beside = decide(scored(SCORES), scored(SCORES), Gate()).score
    assert beside is not None and beside.before == pytest.approx(sum(SCORES) / 40)


def test_always_promotes_with_its_figures() -> None:
    """A gate that lets everything through still says what it saw."""
    worse = decide(*changes(gained=2, lost=30), Gate(promote="always"))
    assert worse.decision == "promote" and worse.difference < 0 and worse.p_value < 0.001
    assert worse.reason.startswith("Promoted the new student, as the gate always does here:")
    assert "no gain" in worse.reason
    better = decide(*changes(gained=20, lost=2), Gate(promote="always"))
    assert better.reason == decide(*changes(gained=20, lost=2), Gate()).reason


def test_order_of_the_items_does_not_matter() -> None:
    """Items are matched by id, not by position."""
    before, after = changes(gained=9, lost=2)
    assert decide(before, after[::-1], Gate()) == decide(before, after, Gate())


def test_a_decision_survives_its_file() -> None:
    """gate.json read back is the same decision."""
    decision = decide(*changes(gained=9, lost=2), Gate())
    assert Decision.model_validate_json(decision.model_dump_json()) == decision


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda before, after: (before, after[1:]), "item 0 is judged for one of them only"),
        (lambda before, after: (before[4:], after), "4 items (0, 1, 2, …) are judged for one of them only"),
        (
            lambda before, after: ([*before, before[2]], after),
            "item 2 is judged more than once for the current",
        ),
        (lambda before, after: ([], []), "no item was judged"),
    ],
)
def test_unequal_sides_are_refused(spoil, said: str) -> None:  # type: ignore[no-untyped-def]
    """A paired comparison over different items would be a wrong number, not a smaller one."""
    before, after = spoil(*changes(gained=5, lost=1))
    with pytest.raises(SynthError) as refused:
        decide(before, after, Gate())
    assert said in refused.value.what
    assert refused.value.cure
