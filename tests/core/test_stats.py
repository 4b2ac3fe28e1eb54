"""The statistics against values known from elsewhere."""

from __future__ import annotations

from math import sqrt
from statistics import fmean, pstdev

import numpy as np
import pytest
from scipy.stats import binomtest

from synth.measure.stats import Interval, holm, mcnemar, paired_bootstrap, wilcoxon, wilson


def test_mcnemar_is_twice_the_binomial_tail() -> None:
    """8 gained and 2 lost: 2 * (C(10,0) + C(10,1) + C(10,2)) / 2^10, by hand."""
    assert mcnemar(8, 2) == pytest.approx(2 * (1 + 10 + 45) / 1024)
    assert mcnemar(10, 0) == pytest.approx(2 / 1024)


def test_mcnemar_is_symmetric_and_one_without_evidence() -> None:
    """The test has no direction, and no discordant item or an even split is no evidence."""
    assert mcnemar(31, 12) == mcnemar(12, 31)
    assert mcnemar(0, 0) == mcnemar(5, 5) == 1.0


def test_mcnemar_stays_exact_where_shares_are_tiny() -> None:
    """A thousand one-sided changes give 2^-999, not zero."""
    assert mcnemar(1000, 0) == pytest.approx(2.0**-999, rel=1e-9)


def test_wilcoxon_by_hand() -> None:
    """Of 2^6 sign patterns two reach rank sums of 0 and 21, six come at least as far as 2 and 19."""
    assert wilcoxon([1, 2, 3, 4, 5, 6]) == pytest.approx(2 / 64)
    assert wilcoxon([1, -2, 3, 4, 5, 6]) == pytest.approx(6 / 64)
    assert wilcoxon([-1, 2, -3, -4, -5, -6]) == wilcoxon([1, -2, 3, 4, 5, 6])


def test_wilcoxon_leaves_out_what_did_not_change() -> None:
    """Items that score the same are no evidence, and none at all is p = 1."""
    assert wilcoxon([0.0, 0.0]) == 1.0
    assert wilcoxon([1, 2, 3, 4, 5, 6, 0, 0]) == wilcoxon([1, 2, 3, 4, 5, 6])


def test_bootstrap_of_many_distinct_figures_is_drawn_in_blocks() -> None:
    """Means of continuous scores: as wide as the normal interval, whatever the size of the blocks."""
    rng = np.random.default_rng(3)
    values = list(rng.normal(0.4, 0.2, 900))
    interval = paired_bootstrap(values, seed=1)
    half = 1.96 * pstdev(values) / sqrt(len(values))
    assert interval.low == pytest.approx(fmean(values) - half, abs=0.1 * half)
    assert interval.high == pytest.approx(fmean(values) + half, abs=0.1 * half)


def test_wilson_against_published_values() -> None:
    """8 of 10 gives 0.490 to 0.943, 0 of 10 gives 0 to 0.278 (Wilson's formula, 95 %)."""
    assert wilson(8, 10).low == pytest.approx(0.4901625, abs=1e-6)
    assert wilson(8, 10).high == pytest.approx(0.9433178, abs=1e-6)
    assert wilson(0, 10).low == 0.0
    assert wilson(0, 10).high == pytest.approx(0.2775328, abs=1e-6)
    assert wilson(0, 0) == Interval(0.0, 1.0)


@pytest.mark.parametrize(
    ("k", "n", "level"), [(1, 7, 0.95), (148, 360, 0.95), (360, 360, 0.99), (40, 45, 0.8)]
)
def test_wilson_against_scipy(k: int, n: int, level: float) -> None:
    """Agrees with the score interval of scipy at every level."""
    known = binomtest(k, n).proportion_ci(level, method="wilson")
    assert (wilson(k, n, level).low, wilson(k, n, level).high) == pytest.approx((known.low, known.high))


def test_bootstrap_agrees_with_resampling_item_by_item() -> None:
    """Drawing counts is the same experiment as drawing items."""
    differences = [1.0] * 60 + [-1.0] * 20 + [0.0] * 120
    draws = np.random.default_rng(1).choice(differences, size=(10_000, len(differences))).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    found = paired_bootstrap(differences)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.0051)


def test_bootstrap_matches_the_normal_interval_of_many_items() -> None:
    """With 4,000 real-valued differences the percentile interval is mean +- 1.96 standard errors."""
    differences = np.random.default_rng(2).normal(0.1, 1.0, 4_000).tolist()
    spread = 1.96 * pstdev(differences) / sqrt(len(differences))
    found = paired_bootstrap(differences, draws=2_000)
    assert found.low == pytest.approx(fmean(differences) - spread, abs=0.004)
    assert found.high == pytest.approx(fmean(differences) + spread, abs=0.004)


def test_bootstrap_is_a_function_of_its_seed() -> None:
    """The same seed gives the same decision again; no items is a programming error."""
    differences = [0.1 * i - 1 for i in range(40)]
    assert paired_bootstrap(differences, seed=3) == paired_bootstrap(differences, seed=3)
    assert paired_bootstrap(differences, seed=3) != paired_bootstrap(differences, seed=4)
    with pytest.raises(ValueError, match="no differences"):
        paired_bootstrap([])


def test_holm_by_hand() -> None:
    """Sorted p times 4, 3, 2, 1, never falling, never above one, in the order given."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_interval_excludes_only_what_is_outside() -> None:
    """A bound at zero does not exclude zero: the gate must not promote on it."""
    assert not Interval(0.0, 0.1).excludes(0.0)
    assert Interval(0.001, 0.1).excludes(0.0)
    assert Interval(-0.2, -0.1).excludes(0.0)
