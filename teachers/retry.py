"""Retries live here and nowhere else: tenacity, per error class, with jitter."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_random_exponential

from synth.chat import CallFailed
from synth.teachers.wire import Transient

__all__ = ["ATTEMPTS", "with_retries"]

ATTEMPTS = 6
T = TypeVar("T")

_backoff = wait_random_exponential(multiplier=0.5, max=30)


def _wait(state: RetryCallState) -> float:
    """The server's Retry-After if it gave one, plus jitter so that calls do not return in step."""
    error = state.outcome.exception() if state.outcome else None
    jittered = _backoff(state)
    if isinstance(error, Transient) and error.wait is not None:
        return error.wait + min(1.0, jittered)
    return jittered


async def with_retries(send: Callable[[], Awaitable[T]]) -> T:
    """Call `send` until it answers, at most `ATTEMPTS` times. Raises `CallFailed` after the last.

    The first try is made without tenacity: its bookkeeping costs more than the call, and
    nearly every call succeeds at once.
    """
    try:
        return await send()
    except Transient as error:
        first = error
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(Transient),
        stop=stop_after_attempt(ATTEMPTS),
        wait=_wait,
        reraise=True,
    )
    tries = 0

    async def again() -> T:
        nonlocal tries
        tries += 1
        if tries == 1:  # the try made above, so that the waits are counted from it
            raise first
        return await send()

    try:
        return await retrying(again)
    except Transient as error:
        raise CallFailed(error.kind, error.detail, attempts=ATTEMPTS) from error
