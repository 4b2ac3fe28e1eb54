"""Retries live here and nowhere else: tenacity with jitter, and a policy for each class of fault."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NoReturn, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from synth.chat import CallFailed
from synth.teachers.wire import Transient

__all__ = ["ATTEMPTS", "Policy", "policy_of", "with_retries"]

ATTEMPTS = 6
T = TypeVar("T")


@dataclass(frozen=True)
class Policy:
    """One class of fault: tries in all, and waits that double from `first` to at most `most` seconds."""

    attempts: int
    first: float
    most: float


_GLITCH = Policy(ATTEMPTS, 0.05, 15.0)
"""A lost connection or a garbled reply says nothing of the next try: it is made at once."""
_BUSY = Policy(2 * ATTEMPTS, 1.0, 60.0)
"""Too much to do: patience, since the gate narrows meanwhile."""
_SLOW = Policy(3, 0.05, 1.0)
"""Each try costs a whole time-out, so there are few; the time-out was the wait."""
_BROKEN = Policy(ATTEMPTS, 0.25, 30.0)
_AWAY = Policy(10 * ATTEMPTS, 0.5, 2.0)
"""Nobody there: not the call's fault. The breaker takes over, and decides when all is lost."""
_POLICIES = {
    "connection": _GLITCH,
    "garbled-reply": _GLITCH,
    "timeout": _SLOW,
    "http-429": _BUSY,
    "http-503": _BUSY,
}


def policy_of(fault: Transient) -> Policy:
    """How a fault is met."""
    return _AWAY if fault.down else _POLICIES.get(fault.kind, _BROKEN)


@dataclass
class _Story:
    """What the tries of one call came to. A class of fault that recurs waits longer each time."""

    last: Transient
    seen: Counter[Policy] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)

    def add(self, fault: Transient) -> None:
        self.last = fault
        self.seen[policy_of(fault)] += 1
        self.kinds[fault.kind] += 1

    def over(self, state: RetryCallState) -> bool:
        policy = policy_of(self.last)
        return self.seen[policy] >= policy.attempts

    def wait(self, state: RetryCallState) -> float:
        """Jittered; and no less than the server's own Retry-After."""
        policy = policy_of(self.last)
        jittered = _backoff(policy, self.seen[policy])
        return jittered if self.last.wait is None else self.last.wait + min(0.5, jittered)

    def fail(self) -> NoReturn:
        """Raise `CallFailed` with the last fault, and the earlier ones where they differ."""
        tries = ", ".join(f"{kind} {times}x" for kind, times in self.kinds.most_common())
        detail = f"{self.last.detail} (tries: {tries})" if len(self.kinds) > 1 else self.last.detail
        error = CallFailed(self.last.kind, detail, self.kinds.total(), self.last.raw)
        raise error from self.last


def _backoff(policy: Policy, tries: int) -> float:
    """Anywhere up to the doubled wait: calls that failed together do not return together."""
    return random.uniform(0.0, min(policy.most, policy.first * 2.0 ** (tries - 1)))


async def with_retries(send: Callable[[], Awaitable[T]]) -> T:
    """Call `send` until it answers or a class of fault has used up its tries: then `CallFailed`.

    The first try is made without tenacity: its bookkeeping costs more than the call, and
    nearly every call succeeds at once.
    """
    try:
        return await send()
    except Transient as error:
        story = _Story(error)
        story.add(error)
    tries = iter([story.last])

    async def again() -> T:
        if (first := next(tries, None)) is not None:  # the try above, so that its wait comes first
            raise first
        try:
            return await send()
        except Transient as error:
            story.add(error)
            raise

    retrying = AsyncRetrying(
        retry=retry_if_exception_type(Transient), stop=story.over, wait=story.wait, reraise=True
    )
    try:
        return await retrying(again)
    except Transient:
        story.fail()
