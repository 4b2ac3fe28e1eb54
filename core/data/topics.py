"""Everyday topics to be written about in sections: the built-in source `topics`.

A question has no known answer. A third of all topics, the same ones in every draw, are for tests:
training and test never share a topic, let alone a question. The sentences that can be said of a
topic are here too, for the programs that write about it.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

from synth.config.flowfile import DataSource
from synth.data.overlap import normalise
from synth.errors import DataError
from synth.records import Question, content_id

__all__ = ["DEFAULT_SIZE", "Kind", "Topics", "kind_of", "topic_questions", "topics"]

DEFAULT_SIZE = 100
"""Questions where the source names no size."""
LICENCE = "CC0-1.0"
"""Of the questions and sentences, which were written for this project."""
TEST_SHARE = 3
"""One topic in so many is a test topic."""


class Kind(BaseModel):
    """Topics of one kind, and by heading the sentences that hold for every one of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    topics: tuple[str, ...]
    sections: dict[str, tuple[str, ...]]


class Topics(BaseModel):
    """The whole of `topics.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    questions: tuple[str, ...]
    """Ways to ask, each with `{topic}`."""
    kinds: dict[str, Kind]


@lru_cache(maxsize=1)
def topics() -> Topics:
    """All built-in topics."""
    return Topics.model_validate(
        yaml.safe_load(Path(__file__).with_name("topics.yaml").read_text(encoding="utf-8"))
    )


def topic_questions(source: DataSource, banned: Collection[str] = ()) -> Iterator[Question]:
    """`size` different questions of the source's split (`train` or `test`) and families (kinds).

    Every topic comes once before one comes a second time, asked in another way. No question's
    normalised text is in `banned`. Raises `DataError`: an unknown kind or split, or too few.
    """
    size, found = source.size or DEFAULT_SIZE, 0
    for question in _in_order(source):
        if normalise(question.question) not in banned:
            yield question
            found += 1
            if found == size:
                return
    raise DataError(
        f"the built-in topics have only {found} questions for the split {source.split!r}, "
        f"and {size} are asked for",
        "lower the size of this source, or name more families",
    )


def kind_of(text: str) -> Kind:
    """The kind of the topic a text asks about. Raises `ValueError` where it is no built-in one."""
    for question, name in _asked().items():
        if question in text:
            return topics().kinds[name]
    raise ValueError(f"no built-in topic is asked about in {text[:80]!r}")


def _in_order(source: DataSource) -> Iterator[Question]:
    """All questions of a split, topics shuffled anew for each way to ask."""
    known = topics()
    wanted = source.families or tuple(known.kinds)
    if unknown := [name for name in wanted if name not in known.kinds]:
        raise DataError(
            f"there is no kind of topic {unknown[0]!r}", f"the kinds are: {', '.join(known.kinds)}"
        )
    if source.split not in ("train", "test"):
        raise DataError(f"the built-in topics have no split {source.split!r}", "write split: train or test")
    chosen = [
        (name, topic)
        for name in wanted
        for topic in known.kinds[name].topics
        if _is_test(topic) == (source.split == "test")
    ]
    rng = random.Random(f"{source.seed}/topics")
    ways = {pair: rng.sample(known.questions, len(known.questions)) for pair in chosen}
    for turn in range(len(known.questions)):
        for name, topic in rng.sample(chosen, len(chosen)):
            yield Question.of(
                ways[name, topic][turn].format(topic=topic),
                "",
                family=name,
                source=f"topics:{name}:{topic}",
                licence=LICENCE,
            )


def _is_test(topic: str) -> bool:
    return int(content_id(["topic", topic]), 16) % TEST_SHARE == 0


@lru_cache(maxsize=1)
def _asked() -> Mapping[str, str]:
    """Every question there is, and the kind of its topic."""
    known = topics()
    return {
        way.format(topic=topic): name
        for name, kind in known.kinds.items()
        for topic in kind.topics
        for way in known.questions
    }
