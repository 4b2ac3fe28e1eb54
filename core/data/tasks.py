"""Procedural questions with known answers: families of the `reasoning-gym` package.

A family is an entry of `families.yaml`: a data set of the package with a configuration,
and our wording of its questions. Any number of items can be drawn, but a family of small
range repeats itself under every seed, so items are told apart by their text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache
from itertools import count
from math import ceil
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, StrictUndefined
from pydantic import BaseModel, ConfigDict, Field

from synth.config.flowfile import DataSource
from synth.config.suggest import suggestion
from synth.data.overlap import normalise
from synth.errors import DataError
from synth.records import AnswerKind, Question, content_id

__all__ = ["DEFAULT_SIZE", "Family", "families", "task_questions"]

DEFAULT_SIZE = 100
"""Items a family where the source names no size."""
LICENCE = "Apache-2.0"
"""Of the package, whose words and names the items are made of."""


class Family(BaseModel):
    """One entry of `families.yaml`.

    Templates are Jinja's, and `keep` is a Jinja expression, over an item of the data set: its
    `question`, its `answer` and the fields of its metadata.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: str
    """Name of the data set in the package."""
    description: str
    """The skill in a few words, as a teacher is told of it."""
    kind: AnswerKind
    config: dict[str, Any] = Field(default_factory=dict)
    """Arguments of the data set."""
    prompt: str = "{{ question }}"
    answer: str = "{{ answer }}"
    keep: str | None = None
    """Items for which this is false are left out."""
    choices: tuple[str, ...] | str = ()
    """The admissible labels, or a template that gives them separated by commas."""
    max_share: float = Field(default=1.0, gt=0, le=1)
    """Largest share of the items that one and the same answer may have."""


@lru_cache(maxsize=1)
def families() -> Mapping[str, Family]:
    """All built-in families by name."""
    entries = yaml.safe_load(Path(__file__).with_name("families.yaml").read_text(encoding="utf-8"))
    return {name: Family.model_validate(entry) for name, entry in entries.items()}


def task_questions(source: DataSource, banned: Collection[str] = ()) -> Iterator[Question]:
    """`size` different questions of each family, one family after the other.

    No question's normalised text is in `banned`. The same source gives the same questions.
    Raises `DataError`: an unknown family, or one that has fewer questions.
    """
    known = families()
    for name in source.families:
        if name not in known:
            raise DataError(f"there is no task family {name!r}", suggestion(name, known))
    for name in source.families or known:
        yield from _draw(name, known[name], source, banned)


def _draw(name: str, family: Family, source: DataSource, banned: Collection[str]) -> Iterator[Question]:
    """Items in the package's order, until there are enough or no new one came for a long while."""
    size = source.size or DEFAULT_SIZE
    cap, patience = ceil(family.max_share * size), max(1000, 10 * size)
    seen: set[str] = set()
    answers: Counter[str] = Counter()
    dry = 0
    for question in _candidates(name, family, source.seed):
        text = normalise(question.question)
        if text in seen or text in banned or answers[question.answer] >= cap:
            dry += 1
            if dry == patience:
                break
            continue
        dry = 0
        seen.add(text)
        answers[question.answer] += 1
        yield question
        if len(seen) == size:
            return
    raise DataError(
        f"the task family {name!r} has only {len(seen)} different questions to give "
        f"(seed {source.seed}, {len(banned)} texts held out), and {size} are asked for",
        "lower the size of this source, or name other families",
    )


def _candidates(name: str, family: Family, seed: int) -> Iterator[Question]:
    """Questions the family's `keep` admits, without end; the same ones come back sooner or later."""
    # Lazy: importing it takes a second.
    import reasoning_gym

    # The package seeds item i with seed + i, so neighbouring seeds would give the same items.
    start = int(content_id([name, seed]), 16) % 2**31
    items = reasoning_gym.create_dataset(family.dataset, seed=start, size=2**31, **family.config)
    write = _writer(name, family)
    for index in count():
        question = write(items[index], f"tasks:{name}:{seed}:{index}")
        if question is not None:
            yield question


def _writer(name: str, family: Family) -> Callable[[Mapping[str, Any], str], Question | None]:
    """From an item of the package and its label to our question; None where `keep` is false."""
    jinja = Environment(undefined=StrictUndefined, autoescape=False)  # plain text, not HTML
    prompt, answer = jinja.from_string(family.prompt), jinja.from_string(family.answer)
    labels = jinja.from_string(
        family.choices if isinstance(family.choices, str) else ",".join(family.choices)
    )
    keep = jinja.compile_expression(family.keep, undefined_to_none=False) if family.keep else None

    def write(item: Mapping[str, Any], label: str) -> Question | None:
        fields = {**item["metadata"], "question": item["question"].strip(), "answer": str(item["answer"])}
        if keep is not None and not keep(**fields):
            return None
        return Question.of(
            prompt.render(fields).strip(),
            answer.render(fields).strip(),
            kind=family.kind,
            family=name,
            skills=(name,),
            choices=tuple(filter(None, labels.render(fields).split(","))),
            source=label,
            licence=LICENCE,
        )

    return write
