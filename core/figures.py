"""Numbers as people read them: one wording for the gate, the terminal and the report."""

from __future__ import annotations

import math

__all__ = ["compact", "count", "duration", "level", "money", "percent", "points", "probability", "shift"]

MINUS = "\N{MINUS SIGN}"
SPACE = "\N{NO-BREAK SPACE}"


def percent(share: float, digits: int = 1) -> str:
    """0.4113 as `41.1 %`."""
    return f"{100 * share:.{digits}f}{SPACE}%"


def points(difference: float) -> str:
    """A difference of two shares in percentage points, always signed: 0.272 as `+27.2`."""
    text = f"{100 * abs(difference):.1f}"
    if text == "0.0":
        return text
    return f"+{text}" if difference > 0 else f"{MINUS}{text}"


def level(value: float, metric: str, digits: int = 1) -> str:
    """Where a student stands: a share as a percentage, under the metric `score` the mean as it is."""
    return f"{value:.3g}" if metric == "score" else percent(value, digits)


def shift(difference: float, metric: str) -> str:
    """By how much a level moved, always signed: percentage points, or under `score` its own unit."""
    if metric != "score":
        return points(difference)
    text = f"{abs(difference):.3g}"
    if float(text) == 0:
        return "0"
    return f"+{text}" if difference > 0 else f"{MINUS}{text}"


def probability(p: float, relation: str = f"={SPACE}") -> str:
    """A p-value as it follows `p`: `= 0.031`, `< 0.001`; with `relation=""` as it stands in a table."""
    if p < 0.001:
        return f"<{SPACE}0.001"
    return f"{relation}{p:.3f}" if p < 0.1 else f"{relation}{p:.2f}"


def count(number: float) -> str:
    """A whole number with its thousands set apart: 31420 as `31,420`."""
    return f"{number:,.0f}"


def compact(number: float) -> str:
    """A number in three figures: 31420 as `31.4k`, 2200000 as `2.2M`, 7.25 as `7.3`."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= 0.9995 * limit:
            scaled = number / limit
            return f"{scaled:.0f}{unit}" if scaled >= 99.95 else f"{scaled:.1f}{unit}"
    return f"{number:.0f}" if number >= 10 or number == int(number) else f"{number:.1f}"


def money(amount: float, currency: str) -> str:
    """Money to the cent, smaller sums in two figures: `1,240.00 USD`, `0.31 USD`, `0.0042 USD`."""
    small = 0 < amount < 0.095
    digits = 1 - math.floor(math.log10(amount)) if small else 2
    return f"{amount:,.{digits}f}{SPACE}{currency}"


def duration(seconds: float) -> str:
    """Seconds in the two largest units that matter: `0.4 s`, `48 s`, `3 min 10 s`, `2 h 05 min`."""
    if not math.isfinite(seconds) or seconds < 0:
        return "?"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"
