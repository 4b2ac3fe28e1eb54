"""The statistics the gate and the reports rest on: small pure functions.

All but `two_level_bootstrap` treat the items as the unit of chance: one seed, one student, a
sample of items. They say nothing about how another training seed would have come out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

__all__ = [
    "Interval",
    "holm",
    "items_needed",
    "mcnemar",
    "mean_not_worse",
    "not_worse",
    "paired_bootstrap",
    "two_level_bootstrap",
    "wilcoxon",
    "wilson",
]

BLOCK = 2_000_000
"""Numbers drawn at once by the bootstrap."""


@dataclass(frozen=True)
class Interval:
    """A confidence interval, both ends included, in the unit of what it bounds."""

    low: float
    high: float

    def excludes(self, value: float) -> bool:
        """Whether `value` lies outside."""
        return value < self.low or value > self.high


def mcnemar(gained: int, lost: int) -> float:
    """Two-sided p-value of McNemar's test in its exact form.

    `gained` and `lost` count the discordant items: wrong before and right after, and the
    other way round. If nothing changed, each is a fair coin toss (McNemar, Psychometrika
    12, 1947; the exact binomial form). With no discordant item p is 1.
    """
    if gained + lost == 0:
        return 1.0
    from scipy.stats import binomtest  # a second to import, needed once a round

    return float(binomtest(gained, gained + lost, 0.5).pvalue)


def wilcoxon(differences: Sequence[float]) -> float:
    """Two-sided p-value of Wilcoxon's signed-rank test (Biometrics Bulletin 1, 1945).

    `differences` are after minus before, an item each. Those of zero are left out; with none
    other p is 1. Exact up to 50 items without ties, else by the normal approximation.
    """
    changed = [difference for difference in differences if difference != 0]
    if not changed:
        return 1.0
    from scipy.stats import wilcoxon as signed_rank  # a second to import, needed once a round

    return float(signed_rank(changed).pvalue)


def not_worse(gained: int, lost: int, n: int, margin: float) -> float:
    """One-sided p-value of "the share right fell by `margin` or more", from paired results.

    Tango's score test (Statistics in Medicine 17, 1998). A small p rules such a fall out. It is
    never small for few items, even if no answer changed: see `items_needed`.
    """
    changed = gained + lost
    a = 2 * n
    b = 2 * n * margin - changed * (1 + margin) + 2 * gained * margin
    c = -gained * margin * (1 - margin)
    share_gained = max(0.0, (math.sqrt(b * b - 4 * a * c) - b) / (2 * a))
    variance = n * (2 * share_gained + margin * (1 - margin))
    return 1 - NormalDist().cdf((gained - lost + n * margin) / math.sqrt(variance))


def items_needed(margin: float, alpha: float) -> int:
    """Fewest items with which `not_worse` can be below `alpha`, when no answer changes."""
    z = NormalDist().inv_cdf(1 - alpha)
    return math.floor(z * z * (1 - margin) / margin) + 1


def mean_not_worse(differences: Sequence[float], margin: float) -> float:
    """As `not_worse` for mean scores: a one-sided paired z test of `differences` (after minus before)."""
    mean = sum(differences) / len(differences)
    squares = sum((one - mean) ** 2 for one in differences)
    error = math.sqrt(squares / max(1, len(differences) - 1) / len(differences))
    if error == 0:
        return 0.0 if mean > -margin else 1.0
    return 1 - NormalDist().cdf((mean + margin) / error)


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    """Wilson's score interval of a share (E. B. Wilson, JASA 22, 1927), in 0..1.

    Unlike the textbook interval it is sound for small `n` and for shares near 0 or 1.
    With `n` = 0 nothing is known: 0 to 1.
    """
    if n == 0:
        return Interval(0.0, 1.0)
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share = successes / n
    centre = share + z * z / (2 * n)
    spread = z * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    scale = 1 + z * z / n
    low, high = (centre - spread) / scale, (centre + spread) / scale
    return Interval(0.0 if successes == 0 else low, 1.0 if successes == n else high)


def paired_bootstrap(
    differences: Sequence[float], level: float = 0.95, draws: int = 10_000, seed: int = 0
) -> Interval:
    """Percentile bootstrap interval of the mean of `differences` (after minus before, an item each),
    or of any other figures of items.

    Items are resampled with replacement, so an item's two results stay together (Efron
    and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13). Resampling only
    changes how often each distinct difference occurs; drawing those counts is the same
    experiment and takes memory by distinct value, not by item.
    """
    import numpy as np

    if not differences:
        raise ValueError("no differences to resample")
    values, counts = np.unique(np.asarray(differences, dtype=float), return_counts=True)
    n = len(differences)
    rng, rows = np.random.default_rng(seed), max(1, BLOCK // len(values))
    blocks = [min(rows, draws - begun) for begun in range(0, draws, rows)]
    means = np.concatenate([rng.multinomial(n, counts / n, size=size) @ values / n for size in blocks])
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def two_level_bootstrap(
    first: Sequence[Sequence[float]],
    second: Sequence[Sequence[float]],
    level: float = 0.95,
    draws: int = 10_000,
    seed: int = 0,
) -> tuple[Interval, float]:
    """Interval and two-sided p-value of the difference of two arms' means, `second` minus `first`.

    Each arm is a list of training seeds, each seed a list of results on the same items. Every draw
    takes seeds with replacement, an arm at a time, then items with replacement, the same for both
    (Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8). The p-value is
    twice the smaller share of draws on either side of 0. With under five seeds an arm both are too
    narrow: so few cannot show how far seeds may differ.
    """
    import numpy as np

    arms = [np.asarray(first, dtype=float), np.asarray(second, dtype=float)]
    n = arms[0].shape[1]
    rng, rows = np.random.default_rng(seed), max(1, BLOCK // n)
    found = []
    for begun in range(0, draws, rows):
        size = min(rows, draws - begun)
        chosen = [rng.multinomial(len(arm), [1 / len(arm)] * len(arm), size=size) / len(arm) for arm in arms]
        means = chosen[1] @ arms[1] - chosen[0] @ arms[0]
        found.append((means * rng.multinomial(n, [1 / n] * n, size=size)).sum(axis=1) / n)
    differences = np.round(np.concatenate(found), 12)  # equal arms differ by nothing, not by rounding
    low, high = np.quantile(differences, [(1 - level) / 2, (1 + level) / 2])
    sides = (differences <= 0).sum(), (differences >= 0).sum()
    return Interval(float(low), float(high)), min(1.0, 2 * (1 + int(min(sides))) / (1 + draws))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment (Scandinavian Journal of Statistics 6, 1979), in the order given.

    An adjusted p below alpha keeps the chance of any false finding in the family below alpha.
    """
    adjusted = [0.0] * len(p_values)
    worst = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = worst
    return adjusted
