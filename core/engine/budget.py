"""Time worked and money spent, kept up to date call by call, so that a budget ends a stage cleanly."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from synth.config import FlowFile
from synth.errors import BudgetExceeded
from synth.figures import compact, count, duration, money
from synth.journal import Journal
from synth.runs.cost import Tariff, gpus_held

__all__ = ["BudgetMeter", "WorkClock"]

NOTE_EVERY = 5.0
"""Seconds between notes of the time worked: what a kill may lose of it."""
LOOK_EVERY = 1.0
"""Seconds between looks at the cost for those who watch."""


class WorkClock:
    """Seconds this run has worked, over all its starts, by the monotonic clock.

    A clock that is set, and the time between two starts, change nothing. The sums stand in
    the journal's facts: `worked` for the run, `worked:ROUND/STAGE` for each stage.
    """

    def __init__(self, journal: Journal, clock: Callable[[], float] = time.monotonic) -> None:
        self._journal = journal
        self._clock = clock
        self._last = clock()
        self._run = float(journal.meta("worked") or 0.0)
        self._stage = ""
        self._in_stage = 0.0
        self._heart: asyncio.Task[None] | None = None

    @property
    def seconds(self) -> float:
        """Time worked until now."""
        return self._run + self._clock() - self._last

    def enter(self, stage: str) -> None:
        """From now on time is this stage's (`round/name`) too."""
        self.leave()
        self._stage = stage
        self._in_stage = float(self._journal.meta(f"worked:{stage}") or 0.0)
        self._heart = asyncio.get_running_loop().create_task(self._beat())

    def leave(self) -> None:
        """The stage ends or pauses; its time is noted."""
        if self._heart is not None:
            self._heart.cancel()
            self._heart = None
        self._note()
        self._stage = ""

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(NOTE_EVERY)
            self._note()

    def _note(self) -> None:
        now = self._clock()
        self._run += now - self._last
        self._in_stage += now - self._last
        self._last = now
        self._journal.set_meta("worked", f"{self._run:.3f}")
        if self._stage:
            self._journal.set_meta(f"worked:{self._stage}", f"{self._in_stage:.3f}")


class BudgetMeter:
    """Says of every seed whether the flow file's budget allows to start it.

    Calls in flight are never cut off. What they will still cost is reckoned by the mean of
    the stage so far, so that near a limit fewer and fewer seeds run at once and the sum ends
    close above it, at worst by the seeds that were in flight when no cost was known yet.
    """

    def __init__(self, flow: FlowFile, journal: Journal, clock: WorkClock) -> None:
        self.limits = flow.budget
        self._tariff = Tariff.of(flow.prices, flow.models, gpus_held(flow.models.values()))
        self._currency = flow.prices.currency
        self._journal = journal
        self._clock = clock
        self._last = 0
        self._tokens = 0
        self._money = 0.0
        self._at_begin = (0.0, 0.0)
        self._finished = self._in_flight = 0
        self._limited = self.limits.tokens is not None or self.limits.money is not None
        self._said, self._said_at = "", -LOOK_EVERY
        journal.set_meta("gpus", str(self._tariff.gpus))

    def begin(self) -> None:
        """A stage begins: its seeds have a mean cost of their own."""
        self._update()
        self._at_begin = (self._tokens, self._spent_money())
        self._finished = self._in_flight = 0

    def admit(self) -> bool:
        """Whether one more seed may start; one that may is in flight until `finished`."""
        self._update()
        if self._reached() is not None or (self._in_flight and self._foreseen()):
            return False
        self._in_flight += 1
        return True

    def finished(self) -> None:
        """A seed is done."""
        self._in_flight -= 1
        self._finished += 1

    def check(self) -> None:
        """Raises `BudgetExceeded` if a limit is reached."""
        self._update()
        reached = self._reached()
        if reached is not None:
            key, limit, spent = reached
            raise BudgetExceeded(
                f"the budget of {limit} is used up: {spent} spent",
                f"raise budget.{key} and run the same command: it goes on from here, and pays nothing twice",
            )

    def so_far(self) -> str:
        """What the run has cost until about a second ago, in words: tokens, and money if they have prices."""
        now = self._clock.seconds
        if now - self._said_at >= LOOK_EVERY:
            self._said_at = now
            self._look()
            self._said = f"{compact(self._tokens)} tokens with prompts"
            if self._tariff.prices.known:
                self._said += f" and {money(self._spent_money(), self._currency)}"
        return self._said

    def _update(self) -> None:
        """Add the calls paid since the last look, where a limit depends on them."""
        if self._limited:
            self._look()

    def _look(self) -> None:
        self._last, fresh = self._journal.tokens_since(self._last)
        for role, model, prompt, completion in fresh:
            self._tokens += prompt + completion
            self._money += self._tariff.of_tokens(role, model, prompt, completion)

    def _spent_money(self) -> float:
        return self._money + self._tariff.of_gpus(self._tariff.gpus * self._clock.seconds)

    def _reached(self) -> tuple[str, str, str] | None:
        """Key, limit and spending of the first limit that is reached, in words."""
        limits, seconds = self.limits, self._clock.seconds
        if limits.tokens is not None and self._tokens >= limits.tokens:
            return "tokens", f"{count(limits.tokens)} tokens", count(self._tokens)
        if limits.hours is not None and seconds >= limits.hours * 3600:
            return "hours", f"{limits.hours:g} hours of work", duration(seconds)
        if limits.money is not None and self._spent_money() >= limits.money:
            return (
                "money",
                money(limits.money, self._currency),
                money(self._spent_money(), self._currency),
            )
        return None

    def _foreseen(self) -> bool:
        """Whether what is in flight, half done on average, and one seed more would reach a limit."""
        begun = self._finished + self._in_flight / 2
        more = self._in_flight / 2 + 1
        sides = (
            (self.limits.tokens, float(self._tokens), self._at_begin[0]),
            (self.limits.money, self._spent_money(), self._at_begin[1]),
        )
        return any(
            limit is not None and spent + (spent - before) / begun * more >= limit
            for limit, spent, before in sides
        )
