"""A forecast of gain against data: a power law through the sizes that were measured, with its interval.

The level after n tokens of training is taken for `limit - loss * n ** -exponent`, as data scaling laws have
it (arXiv 2001.08361). Items are resampled, the same for all sizes, and the law is fitted to every draw.
The interval says what another draw of items could change, not what another training seed could.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from synth.errors import SynthError
from synth.figures import compact, level, shift
from synth.measure.change import Metric
from synth.measure.stats import Interval
from synth.runs.runfiles import Part

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["LEAST", "Forecast", "Size", "forecast"]

LEAST = 3
"""Sizes a forecast needs: the law has three numbers."""
APART = 1.1
"""How many times the one before a size has to be, to count as another."""
TIMES = 2.0
"""The size that is asked about, as a multiple of the largest one measured."""
WORTH = 0.01
"""The smallest gain worth having: a share of the items, of mean scores a share of the largest mean."""
EXPONENTS = (0.05, 2.0, 40)
"""Exponents that are tried: lowest, highest, how many. At the lowest the law is all but logarithmic."""
DRAWS = 1000


@dataclass(frozen=True)
class Size:
    """One size that was measured: tokens trained on, and the result of every item, in one order."""

    tokens: float
    items: Sequence[float]


class Forecast(Part):
    """What more data would bring, as far as the sizes measured tell. Intervals are 95 %."""

    metric: Metric
    tokens: list[float]
    """The sizes measured, the smallest first."""
    levels: list[float]
    """Share right, or mean score, after each."""
    exponent: float
    limit: float
    """Where the law ends up with ever more data."""
    at: float
    """Tokens that the forecast is for."""
    expected: float
    interval: Interval
    gain: float
    """From the law at the largest size to the law at `at`."""
    gain_interval: Interval
    worth: float
    """The smallest gain worth having."""
    verdict: Literal["more", "enough", "open"]
    """`enough`: a gain worth having is outside the interval; `more`: all of the interval is worth having."""

    @property
    def said(self) -> str:
        """In one sentence."""
        unit = "" if self.metric == "score" else " points"
        low, high = (shift(end, self.metric) for end in (self.gain_interval.low, self.gain_interval.high))
        ends = {
            "more": "more data should help",
            "enough": "more data of this kind will hardly help",
            "open": "whether more data would help is open",
        }
        sizes = f"{compact(self.tokens[0])} to {compact(self.tokens[-1])} tokens"
        then = f"{level(self.expected, self.metric)} with {compact(self.at)}"
        gain = f"{shift(self.gain, self.metric)}{unit} ({low} to {high})"
        return f"Forecast from {len(self.tokens)} sizes, {sizes}: {then}, {gain}: {ends[self.verdict]}."


def forecast(sizes: Sequence[Size], metric: Metric, seed: int = 0) -> Forecast:
    """What twice the largest size would bring.

    Raises `SynthError` for fewer than three sizes a tenth apart, or results on other items.
    """
    import numpy as np

    sizes = sorted((size for size in sizes if size.tokens > 0), key=lambda size: size.tokens)
    if (different := _different([size.tokens for size in sizes])) < LEAST:
        raise SynthError(
            f"a forecast needs {LEAST} different sizes of data or more, and there are {different}",
            "run more rounds, or the same flow with another budget.train_tokens",
        )
    if len({len(size.items) for size in sizes}) > 1:
        raise SynthError(
            "a forecast needs the same items at every size", "examine them on the same data.test"
        )
    tokens = np.array([size.tokens for size in sizes])
    items = np.array([size.items for size in sizes], dtype=float)
    n, rng = items.shape[1], np.random.default_rng(seed)
    draws = rng.multinomial(n, [1 / n] * n, size=DRAWS) @ items.T / n
    levels = items.mean(axis=1)
    law = _fit(tokens, np.vstack([levels, draws]), shares=metric != "score")
    now, then = law.at(tokens[-1]), law.at(TIMES * tokens[-1])
    interval, gains = _interval(then[1:]), _interval((then - now)[1:])
    worth = WORTH if metric != "score" else WORTH * float(np.abs(levels).max())
    return Forecast(
        metric=metric,
        tokens=tokens.tolist(),
        levels=levels.tolist(),
        exponent=float(law.exponent[0]),
        limit=float(law.limit[0]),
        at=float(TIMES * tokens[-1]),
        expected=float(then[0]),
        interval=interval,
        gain=float(then[0] - now[0]),
        gain_interval=gains,
        worth=worth,
        verdict="enough" if gains.high < worth else "more" if gains.low >= worth else "open",
    )


def _different(tokens: Sequence[float]) -> int:
    """How many of the sizes, the smallest first, are apart from those before."""
    counted: list[float] = []
    for size in tokens:
        if not counted or size >= APART * counted[-1]:
            counted.append(size)
    return len(counted)


@dataclass(frozen=True)
class _Law:
    """A law for every row of levels; sizes are in units of `unit`."""

    unit: float
    limit: Floats
    loss: Floats
    exponent: Floats

    def at(self, tokens: float) -> Floats:
        found: Floats = self.limit - self.loss * (tokens / self.unit) ** -self.exponent
        return found


def _fit(tokens: Floats, levels: Floats, *, shares: bool) -> _Law:
    """Least squares for every row of `levels`: exponents are tried, the rest is a line. Levels may fall
    with more data, and no share ends up beyond 0 or 1."""
    import numpy as np

    unit, rows = float(tokens.max()), len(levels)
    best = np.full(rows, np.inf)
    limit, loss, exponent = np.zeros(rows), np.zeros(rows), np.zeros(rows)
    for tried in np.geomspace(*EXPONENTS):
        x = (tokens / unit) ** -tried
        away = x - x.mean()
        slope = levels @ away / (away @ away)
        top = levels.mean(axis=1) - slope * x.mean()
        if shares:
            bound = np.clip(top, 0.0, 1.0)
            slope = np.where(top == bound, slope, (levels - bound[:, None]) @ x / (x @ x))
            top = bound
        error = ((levels - top[:, None] - np.outer(slope, x)) ** 2).sum(axis=1)
        better = error < best
        best = np.where(better, error, best)
        limit, loss = np.where(better, top, limit), np.where(better, -slope, loss)
        exponent = np.where(better, tried, exponent)
    return _Law(unit, limit, loss, exponent)


def _interval(values: Floats) -> Interval:
    import numpy as np

    low, high = np.quantile(values, [0.025, 0.975])
    return Interval(float(low), float(high))
