"""How much may go wrong before a stage stops: the flow file's `on_error`."""

from __future__ import annotations

from collections import Counter

from synth.config import OnError
from synth.engine.runner import Result
from synth.errors import RunError

__all__ = ["FAULTS", "Tolerance"]

FAULTS = ("call-failed", "crashed", "unparsed", "truncated")
"""Reasons that are somebody's fault; the others (disagreed, duplicate, …) are the method at work."""
_ENOUGH = 50


class Tolerance:
    """Counts faults of one stage and raises `RunError` when there are too many.

    With a budget the share is judged once fifty records are in, so that the first bad
    record of a long run is not 100 %.
    """

    def __init__(self, rule: OnError, stage: str) -> None:
        self._rule = rule
        self._stage = stage
        self._records = 0
        self._faults: Counter[str] = Counter()

    def see(self, result: Result) -> None:
        """Count one record."""
        self._records += 1
        faults = [r for r in result.rejections if r.reason in FAULTS]
        self._faults.update(rejection.reason for rejection in faults)
        if not faults or self._rule == "continue":
            return
        if self._rule == "stop":
            first = faults[0]
            raise RunError(
                f"{self._stage}: {first.seed_id} failed in {first.node}: {first.reason}: {first.detail}",
                "mend the cause and run the same command, or set on_error: continue",
            )
        failed = self._faults.total()
        if self._records >= _ENOUGH and failed > self._rule.share * self._records:
            listed = ", ".join(f"{reason} {n}" for reason, n in self._faults.most_common())
            raise RunError(
                f"{self._stage}: {failed} of {self._records} records failed, "
                f"{failed / self._records:.1%} where {self._rule.budget} are allowed ({listed})",
                "mend the cause, or raise on_error.budget, and run the same command; all are kept",
            )
