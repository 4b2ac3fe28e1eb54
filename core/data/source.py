"""One door to all kinds of questions."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TypeVar

from synth.config.flowfile import DataSource
from synth.data.overlap import normalise
from synth.errors import DataError
from synth.records import Question

__all__ = ["draw", "read_questions"]

_Item = TypeVar("_Item")


def read_questions(source: DataSource, *, base: Path, exclude: Collection[str] = ()) -> Iterator[Question]:
    """The questions of a source, without those whose text is in `exclude`.

    A path is looked up from the current directory, then from `base`. With `size`, a file,
    folder or hub data set gives a uniform draw (seeded, in the order of the source), or all
    it has if that is fewer; `tasks` gives exactly that many a family. Files are streamed, so
    a faulty row is met only when it is read. Raises `DataError`.
    """
    banned = frozenset(normalise(text) for text in exclude)
    if source.source == "tasks":
        from synth.data.tasks import task_questions

        yield from task_questions(source, banned)
        return
    if source.source == "instructions":
        from synth.data.instructions import instruction_questions

        yield from instruction_questions(source, banned)
        return
    if source.source == "topics":
        from synth.data.topics import topic_questions

        yield from topic_questions(source, banned)
        return
    if source.families:
        raise DataError(
            f"families are named for {source.source!r}, which is not a set of task families",
            "write source: tasks, or leave families out",
        )
    kept = (question for question in _read(source, base) if normalise(question.question) not in banned)
    yield from kept if source.size is None else draw(kept, source.size, source.seed)


def _read(source: DataSource, base: Path) -> Iterator[Question]:
    if source.source.startswith("hub:"):
        from synth.data.hub import hub_questions

        return hub_questions(source)
    from synth.data.files import file_questions

    return file_questions(source, base)


def draw(items: Iterable[_Item], size: int, seed: int) -> list[_Item]:
    """A uniform sample in one pass (reservoir, algorithm R), in the order of the source."""
    rng = random.Random(seed)
    stream = enumerate(items)
    kept = list(islice(stream, size))
    for index, item in stream:
        place = rng.randint(0, index)
        if place < size:
            kept[place] = (index, item)
    return [item for _, item in sorted(kept, key=lambda pair: pair[0])]
