"""Which request goes wrong, and how: by script for the first requests, then by seeded rates.

A rate is decided by the hash of (seed, request body, how often this body was asked before),
so a fault does not depend on the order in which requests arrive and a retry can succeed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

__all__ = ["ANSWERED", "FAULTS", "FaultRule", "Faults", "parse_faults"]

FAULTS = (
    "500",
    "503",
    "429",  # with Retry-After
    "400",
    "401",
    "404",  # unknown model
    "reset",  # connection reset before any byte of the reply
    "reset-mid-body",  # connection reset after half of the reply
    "timeout",  # never answers
    "truncated",  # 200, half of the JSON, properly ended
    "shape",  # 200, JSON of the wrong shape
    "empty",  # 200, empty content
    "schema",  # 200, content that does not follow the schema
    "length",  # 200, half of the content, finish_reason "length"
    "slow",  # right, but late
)
ANSWERED = ("", "shape", "empty", "schema", "length", "slow")
"""Outcomes in which the client got a whole 200 reply, so it paid for it."""

FaultRule = Callable[[Mapping[str, Any], int], str]
"""From (request body, how often it was asked before) to a fault, or "" for none."""


class Faults:
    """`next` names the fault of one request, or "" for none.

    `rates` maps faults to probabilities, or is a rule of its own; `script` lists the faults
    of the first requests in order of arrival ("" or "ok" for none).
    """

    def __init__(
        self, rates: Mapping[str, float] | FaultRule | None = None, script: Sequence[str] = (), seed: int = 0
    ) -> None:
        self.rule = rates if callable(rates) else None
        known = {} if rates is None or callable(rates) else dict(rates)
        unknown = [name for name in [*known, *script] if name not in (*FAULTS, "", "ok")]
        if unknown:
            raise ValueError(f"unknown faults {unknown}; known are {', '.join(FAULTS)}")
        self.script = ["" if name == "ok" else name for name in script]
        self.seed = seed
        self._served = 0
        self._steps: list[tuple[int, str]] = []
        total = 0.0
        for name, rate in known.items():
            total += rate
            self._steps.append((int(total * 2**64), name))
        if total > 1:
            raise ValueError(f"the rates of all faults add up to {total:g}, more than 1")

    def next(self, body: Mapping[str, Any], digest: bytes, attempt: int) -> str:
        """The fault of a request with this body, asked `attempt` times before."""
        self._served += 1
        if self._served <= len(self.script):
            return self.script[self._served - 1]
        if self.rule is not None:
            return self.rule(body, attempt)
        if not self._steps:
            return ""
        salt = b"%d:%d:" % (self.seed, attempt)
        draw = int.from_bytes(blake2b(salt + digest, digest_size=8).digest())
        return next((name for limit, name in self._steps if draw < limit), "")


def parse_faults(text: str) -> dict[str, float]:
    """Read `500=0.05,reset=0.01`."""
    pairs = (item.partition("=") for item in text.split(",") if item)
    return {name.strip(): float(rate) for name, _, rate in pairs}
