"""A Python function in a model's place: messages in, text out. Exact oracles teach best."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from synth.chat import CallFailed, Leaving, Reply, Request
from synth.errors import ModelError
from synth.records import Message
from synth.reference import referred

__all__ = ["Program", "ProgramEndpoint", "load_program"]

Program = Callable[..., Any]
"""From messages to text, or to something that can be awaited for it."""


def load_program(reference: str) -> Program:
    """The function `module:function` names. Raises `ModelError` if there is none."""
    function = referred(reference, "program", ModelError)
    if not callable(function):
        raise ModelError(f"the program {reference!r} is not a function", "name a callable")
    return function


class ProgramEndpoint:
    """Calls a program once for each sample asked for.

    A program that takes a second argument `sample` is told which of the independent
    samples this is, so that it may vary its answer.
    """

    width = 0
    """A program has no queue: how many calls it takes at once does not matter."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._numbered = "sample" in inspect.signature(program).parameters

    async def chat(
        self, request: Request, model: str, n: int, first: int, name: str, leaving: Leaving | None = None
    ) -> list[Reply]:
        """Raises `CallFailed` with the program's own error."""
        if leaving is not None:
            await leaving()
        return [await self._one(request.messages, index) for index in range(first, first + n)]

    async def _one(self, messages: list[Message], index: int) -> Reply:
        extra: dict[str, Any] = {"sample": index} if self._numbered else {}
        try:
            said = self._program(messages, **extra)
            text = await said if inspect.isawaitable(said) else said
        except Exception as error:
            raise CallFailed("program-error", f"{type(error).__name__}: {error}") from error
        if not isinstance(text, str):
            raise CallFailed("program-error", f"returned {type(text).__name__}, not text")
        return Reply(text)

    async def aclose(self) -> None:
        """Nothing to close."""
