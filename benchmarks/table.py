"""One row of what was measured, and the table they make."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Row", "show"]


@dataclass(frozen=True)
class Row:
    """What was measured, how it came out, and the target it is held against, if it has one."""

    what: str
    measured: str
    target: str = ""
    reached: bool | None = None


def show(rows: Iterable[Row]) -> bool:
    """Print the rows as a Markdown table; whether every target was reached."""
    rows = list(rows)
    lines = [("what", "measured", "target", "")]
    lines += [(r.what, r.measured, r.target, {None: "", True: "yes", False: "NO"}[r.reached]) for r in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    lines.insert(1, tuple("-" * max(3, width) for width in widths))  # type: ignore[arg-type]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print(f"| {' | '.join(cells)} |", flush=True)
    return all(row.reached is not False for row in rows)
