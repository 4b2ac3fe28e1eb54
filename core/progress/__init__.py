"""What a run shows of itself while it works, always on standard error.

`make_progress` chooses: a live view on a terminal, plain lines elsewhere, nothing when quiet.
"""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import Protocol, Self

from synth.progress.plain import PlainProgress
from synth.progress.stage import Stage

__all__ = ["PlainProgress", "Progress", "Stage", "make_progress"]


class Progress(Protocol):
    """Where a run reports to. A context manager; leaving it ends the display."""

    def stage(self, round: int, name: str, total: int | None = None, done: int = 0) -> Stage:
        """Begin a stage of `total` items (None: not known), `done` of them finished earlier.

        Use it in a `with` statement.
        """
        ...

    def log(self, text: str) -> None:
        """Say one thing that stays."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def make_progress(quiet: bool = False) -> Progress:
    """The display that fits where standard error goes.

    Plain lines if it is no terminal, or if the environment sets NO_COLOR or CI.
    """
    if quiet:
        return PlainProgress(stream=None)
    plain = os.environ.get("NO_COLOR") or os.environ.get("CI") or os.environ.get("TERM") == "dumb"
    if plain or not sys.stderr.isatty():
        return PlainProgress(stream=sys.stderr)
    from synth.progress.live import LiveProgress

    return LiveProgress()
