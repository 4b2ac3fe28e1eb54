"""What preference training logs of its pairs, at its beginning and at its end: whether they still pull.

Margin and gradients are the diagnostics of DRIFT (arXiv 2510.02341), the changes of both
likelihoods that of Delta Learning (arXiv 2507.06187).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from synth.runs.runfiles import Part, read_lines

__all__ = ["FIGURES", "Trend", "trends"]

TENTH = 10
"""Beginning and end are a tenth of the steps each, at least one."""
FIGURES = {
    "margin": "margin: beta times how much more the chosen answer gained than the rejected one",
    "accuracy": "pairs with a margin above 0, as a share",
    "pull": "pull: mean of sigmoid(-margin); 0.5 at the start, 0 where nothing is left to learn",
    "pull_share": "pairs that pull, as a share",
    "gradient_difference": "distance between the gradients of chosen and rejected answer",
    "grad_norm": "norm of the gradient",
    "chosen_change": "likelihood of the chosen answer since the start, nats a token",
    "rejected_change": "likelihood of the rejected answer since the start, nats a token",
}
"""Figure of the log -> what it is."""


class Trend(Part):
    """One figure: its mean over the first and over the last tenth of the steps."""

    name: str
    meaning: str
    first: float
    last: float


class _Line(Part):
    margin: float
    accuracy: float | None = None
    pull: float | None = None
    pull_share: float | None = None
    gradient_difference: float | None = None
    grad_norm: float | None = None
    chosen_change: float | None = None
    rejected_change: float | None = None


def trends(log: Path) -> list[Trend]:
    """The figures a log of preference training has; none of any other training, or of a single step."""
    lines = list(read_lines(log, _Line, []))
    few = max(1, len(lines) // TENTH)
    if len(lines) < 2:
        return []
    found = []
    for name, meaning in FIGURES.items():
        first, last = _mean(lines[:few], name), _mean(lines[-few:], name)
        if first is not None and last is not None:
            found.append(Trend(name=name, meaning=meaning, first=first, last=last))
    return found


def _mean(lines: Sequence[_Line], name: str) -> float | None:
    values = [value for line in lines if (value := getattr(line, name)) is not None]
    return fmean(values) if values else None
