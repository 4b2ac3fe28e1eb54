"""Data sources of a flow file, read once a run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from synth.config import DataSource, FlowFile
from synth.data import read_questions
from synth.data.conversations import Conversation, read_conversations
from synth.errors import DataError
from synth.records import Question

__all__ = ["Sources"]


class Sources:
    """Questions and conversations by the name of their source; no source repeats a held-out text."""

    def __init__(self, flow: FlowFile, base: Path) -> None:
        self._flow, self._base = flow, base
        self._questions: dict[str, list[Question]] = {}
        self._conversations: dict[str, list[Conversation]] = {}
        self.mixed: dict[str, list[Question]] = {}
        """What this round draws of a source, where that is a part of it."""

    def questions(self, name: str) -> list[Question]:
        """All questions of a source; of conversations the user's first turns. Raises `DataError`.

        A row that repeats another, question and answer, counts once: it would be the same seed.
        """
        if name in self.mixed:
            return self.mixed[name]
        if name not in self._questions:
            read = {question.id: question for question in self._read(name)}
            self._questions[name] = list(read.values())
        return self._questions[name]

    def _read(self, name: str) -> Iterable[Question]:
        source = self._source(name)
        if source.shape != "conversations":
            return read_questions(source, base=self._base, exclude=self._held_out(name))
        return (
            Question.of(found.opening, "", source=found.source, licence=found.licence)
            for found in self.conversations(name)
        )

    def conversations(self, name: str) -> list[Conversation]:
        """All conversations of a source of that shape. Raises `DataError`."""
        if name not in self._conversations:
            source = self._source(name)
            if source.shape != "conversations":
                flow = self._flow.flow
                raise DataError(
                    f"the flow {flow!r} reads data.{name} as conversations, and it holds questions",
                    f"write shape: conversations under data: {name}:",
                )
            self._conversations[name] = list(
                read_conversations(source, base=self._base, exclude=self._held_out(name))
            )
        return self._conversations[name]

    def sizes(self) -> dict[str, int]:
        """Questions in each source, all of them read now. Raises `DataError`."""
        return {name: len(self.questions(name)) for name in self._flow.data}

    def _source(self, name: str) -> DataSource:
        source = self._flow.data.get(name)
        if source is None:
            raise DataError(
                f"the flow {self._flow.flow!r} needs data.{name}, which the flow file does not have",
                f"add a source under data: {name}:",
            )
        return source

    def _held_out(self, name: str) -> set[str]:
        """Texts a source must not repeat: those of the sources before it in `FlowFile.held_out`."""
        order = self._flow.held_out
        before = order[: order.index(name)] if name in order else order
        return {question.question for source in before for question in self.questions(source)}
