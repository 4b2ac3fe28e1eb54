"""Small inline SVG charts: pure functions from numbers to markup.

Horizontal positions are percentages of the chart's own width and nothing is scaled, so
text and strokes keep their size from a phone to paper. Colours are classes of the style
sheet. Each chart carries a label that says in words what it shows.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from synth.figures import SPACE
from synth.measure.change import Change
from synth.measure.stats import Interval
from synth.runs.overview import LossPoint

__all__ = ["Axis", "Level", "axis_of", "bar", "curve", "dumbbell", "ends", "parts", "scale", "ticks", "trend"]


@dataclass(frozen=True)
class Axis:
    """A scale across a chart's width: of shares, 0 to 100 %, or of mean scores, `low` to `high`."""

    low: float = 0.0
    high: float = 1.0
    shares: bool = True

    def x(self, value: float) -> str:
        """Where a value stands."""
        return _x((value - self.low) / (self.high - self.low))

    def text(self, mark: int) -> str:
        """What stands at so many percent of the width."""
        if self.shares:
            return f"{mark}{SPACE + '%' if mark == 100 else ''}"
        return f"{self.low + (self.high - self.low) * mark / 100:.3g}"


@dataclass(frozen=True)
class Level:
    """Where one round's student stood; `kept` if it became the champion."""

    round: int
    value: float
    interval: Interval
    kept: bool


SHARES = Axis()


def axis_of(changes: Sequence[Change]) -> Axis:
    """The scale that holds these changes, all of one metric; scores of 0 to 1 are shown so."""
    if not changes or changes[0].metric != "score":
        return SHARES
    ends = [interval for change in changes for interval in (change.before_interval, change.after_interval)]
    low, high = min(0.0, *(end.low for end in ends)), max(1.0, *(end.high for end in ends))
    step = 10 ** math.floor(math.log10(high - low)) / 2
    return Axis(step * math.floor(low / step), step * math.ceil(high / step), shares=False)


def dumbbell(change: Change, label: str, axis: Axis = SHARES) -> Markup:
    """Where a student stood and stands on one scale, each with its interval: before above, after below."""
    before, after = axis.x(change.before), axis.x(change.after)
    grid = "".join(f'<line class="grid" x1="{x}%" x2="{x}%" y1="0" y2="30"/>' for x in (0, 25, 50, 75, 100))
    marks = (
        f'<line class="link" x1="{before}" y1="10" x2="{after}" y2="20"/>'
        f"{_span(change.before_interval, 10, 'before', axis)}"
        f"{_span(change.after_interval, 20, 'after', axis)}"
        f'<circle class="dot before" cx="{before}" cy="10" r="4.5"/>'
        f'<circle class="dot after" cx="{after}" cy="20" r="5"/>'
    )
    return _svg(30, label, grid + marks)


def bar(share: float, interval: Interval, label: str) -> Markup:
    """One share of 0 to 100 % with its interval."""
    body = (
        '<rect class="rail" x="0" y="3" width="100%" height="10"/>'
        f'<rect class="bar" x="0" y="3" width="{_x(share)}" height="10"/>'
    )
    return _svg(16, label, body + _span(interval, 8, "whisker"))


def parts(values: Sequence[float], whole: float, label: str) -> Markup:
    """Values side by side in one bar, where `whole` is the full width."""
    body, left = "", 0.0
    for index, value in enumerate(values):
        share = value / whole if whole else 0.0
        body += f'<rect class="part{index}" x="{_x(left)}" y="3" width="{_x(share)}" height="10"/>'
        left += share
    return _svg(16, label, body)


def curve(points: Sequence[LossPoint], label: str) -> Markup:
    """The loss by step: every point, and their running mean over a twentieth of the curve."""
    steps, losses = [p.step for p in points], [p.loss for p in points if math.isfinite(p.loss)]
    if len(losses) < 2 or steps[0] == steps[-1]:
        return Markup("")
    marks = ticks(min(losses), max(losses))
    low, high = min(marks[0], min(losses)), max(marks[-1], max(losses))
    if low == high:  # a loss that never changes, drawn in the middle
        low, high = low - 0.5, high + 0.5

    def place(step: float, loss: float) -> str:
        x, y = (step - steps[0]) / (steps[-1] - steps[0]), (high - loss) / (high - low)
        return f"{1000 * x:.1f},{1000 * y:.1f}"

    raw = " ".join(place(p.step, p.loss) for p in points if math.isfinite(p.loss))
    mean = " ".join(place(step, loss) for step, loss in _running_mean(points))
    lines = f'<polyline class="raw" points="{raw}"/><polyline class="mean" points="{mean}"/>'
    inner = (
        f'<svg viewBox="0 0 1000 1000" width="100%" height="100%" preserveAspectRatio="none">{lines}</svg>'
    )
    return _svg(180, label, _rules(marks, low, high) + inner, "curve")


def trend(levels: Sequence[Level], label: str, shares: bool = True) -> Markup:
    """Levels by round, each with its interval; the line goes from champion to champion."""
    low = min(0.0, *(level.interval.low for level in levels))
    high = max(level.interval.high for level in levels)
    marks = ticks(low, high)
    low, high = min(low, marks[0]), max(high, marks[-1])
    count = len(levels)
    x = {level.round: f"{100 * (i + 0.5) / count:.2f}%" for i, level in enumerate(levels)}
    body = _rules(marks, low, high, 100 if shares else 1)
    kept = [level for level in levels if level.kept]
    for a, b in itertools.pairwise(kept):
        ends = (_y(one.value, low, high) for one in (a, b))
        body += '<line class="link" x1="{}" x2="{}" y1="{}" y2="{}"/>'.format(x[a.round], x[b.round], *ends)
    for level in levels:
        kind, at = "after" if level.kept else "before", x[level.round]
        top, bottom = (_y(end, low, high) for end in (level.interval.high, level.interval.low))
        name = f"round {level.round}" if level.round else "start"
        body += (
            f'<line class="span {kind}" x1="{at}" x2="{at}" y1="{top}" y2="{bottom}"/>'
            f'<circle class="dot {kind}" cx="{at}" cy="{_y(level.value, low, high)}" r="5"/>'
            f'<text class="tick" x="{at}" y="100%" dy="18" text-anchor="middle">{name}</text>'
        )
    return _svg(180, label, body, "curve trend")


def scale(marks: Sequence[int], axis: Axis = SHARES) -> Markup:
    """A scale's labels, at these percentages of its width, to stand above or below charts that share it."""
    anchors = {marks[0]: "start", marks[-1]: "end"}
    labels = "".join(
        f'<text class="tick" x="{mark}%" y="12" text-anchor="{anchors.get(mark, "middle")}">'
        f"{axis.text(mark)}</text>"
        for mark in marks
    )
    return Markup(f'<svg class="scale" width="100%" height="16" aria-hidden="true">{labels}</svg>')


def ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round values that cover `low` to `high` inside: steps of 1, 2 or 5 times a power of ten."""
    if high <= low:
        return [low]
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)] or [low]


def ends(points: Sequence[LossPoint]) -> tuple[float, float]:
    """Where the running mean of `curve` begins and ends: a single step says little of a loss."""
    means = _running_mean(points)
    return (means[0][1], means[-1][1]) if means else (math.nan, math.nan)


def _rules(marks: Sequence[float], low: float, high: float, unit: float = 1) -> str:
    """Level lines with what they stand for, times `unit`."""
    return "".join(
        f'<line class="grid" x1="0" x2="100%" y1="{_y(mark, low, high)}" y2="{_y(mark, low, high)}"/>'
        f'<text class="tick" x="-8" y="{_y(mark, low, high)}" dy="4" text-anchor="end">{mark * unit:g}</text>'
        for mark in marks
    )


def _running_mean(points: Sequence[LossPoint]) -> list[tuple[int, float]]:
    finite = [p for p in points if math.isfinite(p.loss)]
    reach = max(1, len(finite) // 40)
    means = []
    for i, point in enumerate(finite):
        window = finite[max(0, i - reach) : i + reach + 1]
        means.append((point.step, sum(p.loss for p in window) / len(window)))
    return means


def _span(interval: Interval, y: int, kind: str, axis: Axis = SHARES) -> str:
    low, high = axis.x(interval.low), axis.x(interval.high)
    return f'<line class="span {kind}" x1="{low}" x2="{high}" y1="{y}" y2="{y}"/>'


def _x(share: float) -> str:
    return f"{100 * min(1.0, max(0.0, share)):.2f}%"


def _y(value: float, low: float, high: float) -> str:
    return f"{100 * (high - value) / (high - low) if high > low else 50:.2f}%"


def _svg(height: int, label: str, body: str, kind: str = "strip") -> Markup:
    text = escape(label)
    return Markup(
        f'<svg class="{kind}" width="100%" height="{height}" role="img" aria-label="{text}">'
        f"<title>{text}</title>{body}</svg>"
    )
