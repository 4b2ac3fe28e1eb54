"""What a night has spent and what is left of its limits, read from its runs: a kill forgets nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synth.config import Budget, Loaded
from synth.errors import BudgetExceeded
from synth.figures import count, duration
from synth.nightly.file import Limits
from synth.runs.cost import Tariff, ledger
from synth.runs.runfiles import read_journal

__all__ = ["Spent", "budget", "disk_used", "reached", "spent_by", "within"]

GRACE = 60.0
"""Seconds that what is under way at the time limit has to end by itself."""
LOOK = 5.0
"""Seconds between looks at clock and disk."""
GIB = 1 << 30


@dataclass(frozen=True)
class Spent:
    """Seconds of work, tokens of paid calls, money."""

    seconds: float = 0.0
    tokens: int = 0
    money: float = 0.0


def spent_by(runs: Sequence[tuple[Path, Loaded]]) -> Spent:
    """What runs have taken so far, over all their starts."""
    total = Spent()
    for folder, loaded in runs:
        journal = read_journal(folder / "journal.db")
        tariff = Tariff.of(loaded.flow.prices, loaded.flow.models, int(journal.meta.get("gpus", "0")))
        bill = ledger(journal, tariff, 0).total
        total = Spent(
            total.seconds + float(journal.meta.get("worked", "0")),
            total.tokens + bill.tokens,
            total.money + (bill.money or 0.0),
        )
    return total


def reached(limits: Limits, spent: Spent, home: Path) -> str:
    """The first limit that is reached, in words; empty if none is."""
    if limits.hours is not None and spent.seconds >= limits.hours * 3600:
        return f"{duration(spent.seconds)} of {limits.hours:g} hours are used up"
    if limits.tokens is not None and spent.tokens >= limits.tokens:
        return f"{count(spent.tokens)} of {count(limits.tokens)} tokens are used up"
    if limits.money is not None and spent.money >= limits.money:
        return f"{spent.money:.2f} of {limits.money:g} in money are used up"
    return _disk(limits, home)


def budget(limits: Limits, others: Spent, own: Budget) -> Budget:
    """A run's budget: its own, and what the night's other runs have left of the limits."""

    def lower(one: float | None, other: float | None) -> float | None:
        given = [limit for limit in (one, other) if limit is not None]
        return min(given) if given else None

    tokens = lower(own.tokens, None if limits.tokens is None else limits.tokens - others.tokens)
    return own.model_copy(
        update={
            "hours": lower(own.hours, None if limits.hours is None else limits.hours - others.seconds / 3600),
            "tokens": None if tokens is None else int(tokens),
            "money": lower(own.money, None if limits.money is None else limits.money - others.money),
        }
    )


async def within(
    work: Coroutine[Any, Any, object], limits: Limits, home: Path, worked: Callable[[float], float]
) -> None:
    """Do the work, and end it where time or disk run out. Raises `BudgetExceeded` for that.

    The run itself stops at a clean point when its hours are over; this is for what does not.
    `worked` is told the seconds since it was told last, and says how many the night has taken.
    """
    task = asyncio.ensure_future(work)
    last = time.monotonic()

    def elapsed() -> float:
        nonlocal last
        since, last = time.monotonic() - last, time.monotonic()
        return worked(since)

    try:
        while not (await asyncio.wait({task}, timeout=LOOK))[0]:
            over = _overdue(limits, elapsed()) or _disk(limits, home)
            if over:
                raise BudgetExceeded(f"the night ends: {over}", "raise the night's limits")
    finally:
        elapsed()
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
    task.result()


def disk_used(folder: Path) -> int:
    """Bytes on disk of all files in a folder; one that has several names counts once."""
    stats = {}
    for path in folder.rglob("*"):
        try:
            stat = path.lstat()
        except FileNotFoundError:
            continue
        stats[stat.st_dev, stat.st_ino] = stat.st_blocks * 512
    return sum(stats.values())


def _overdue(limits: Limits, seconds: float) -> str:
    if limits.hours is None or seconds < limits.hours * 3600 + GRACE:
        return ""
    return f"{limits.hours:g} hours are over"


def _disk(limits: Limits, home: Path) -> str:
    used = disk_used(home) if limits.disk is not None else 0
    if limits.disk is None or used < limits.disk * GIB:
        return ""
    return f"{home} holds {used / GIB:.2f} of {limits.disk:g} GiB"
