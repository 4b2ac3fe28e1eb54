"""What can go wrong, said once.

Every error a user can meet carries three things: what was being done, where, and the
cure. The command line prints exactly that and no traceback; a bad *sample* is never an
exception at this level but a `Rejection` record (see `synth.records`).
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "BudgetExceeded",
    "CollapseError",
    "ConfigError",
    "DataError",
    "EndpointError",
    "ModelError",
    "Problem",
    "PromptError",
    "RunError",
    "ServerError",
    "SynthError",
    "TrainError",
]


class SynthError(Exception):
    """Base of all errors meant for a person. `exit_code` is what the command returns.

    `what` says what was being done and what went wrong, `cure` what to do about it.
    """

    exit_code = 1

    def __init__(self, what: str, cure: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.cure = cure

    def __str__(self) -> str:
        return f"{self.what}\n  {self.cure}" if self.cure else self.what


@dataclass(frozen=True)
class Problem:
    """One fault in a flow file: place (`file:line:column`), dotted key, message, cure."""

    where: str
    key: str
    message: str
    cure: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.key}: {self.message}" if self.key else f"{self.where}: {self.message}"
        return f"{text}\n    {self.cure}" if self.cure else text


class ConfigError(SynthError):
    """A flow file that cannot be run; holds every problem found, not only the first."""

    exit_code = 2

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
        super().__init__("\n".join([f"{count} in the flow file:", *(f"  {p}" for p in problems)]))


class DataError(SynthError):
    """A data file that cannot be read; names file and line."""

    exit_code = 2


class PromptError(SynthError):
    """A prompt file that is missing, is not a template, or asks for what it is not given; names its line."""

    exit_code = 2


class ModelError(SynthError):
    """A model that cannot be found, downloaded, verified or converted."""

    exit_code = 2


class ServerError(SynthError):
    """A model server that did not start or died; carries the last lines of its log."""

    exit_code = 3


class EndpointError(SynthError):
    """An endpoint that refuses every call (wrong key, unknown model, unreachable)."""

    exit_code = 3


class TrainError(SynthError):
    """A training process that failed; carries the last lines of its log."""

    exit_code = 4


class RunError(SynthError):
    """A run folder that is held by another process, damaged, or not writable."""

    exit_code = 5


class BudgetExceeded(SynthError):
    """A budget was reached; the run stopped at a clean point and can be continued."""

    exit_code = 6


class CollapseError(SynthError):
    """A round's data are more uniform than the flow file allows; nothing was trained on them."""

    exit_code = 7
