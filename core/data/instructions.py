"""Procedural prompts with constraints: an everyday request, and rules for the answer that a program checks.

Requests, what they are about and the constraints' arguments stand in `instructions.yaml`;
the constraints are those of `synth.verify.constraints`. Prompts have no known answer.
"""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from synth.config.flowfile import DataSource
from synth.config.suggest import nearest
from synth.data.overlap import normalise
from synth.errors import DataError
from synth.records import Question, content_id
from synth.verify.constraints import Constraint, constraint, describe, group, meant

__all__ = ["DEFAULT_SIZE", "Instructions", "instruction_questions", "instructions"]

DEFAULT_SIZE = 100
"""Prompts a constraint type where the source names no size."""
PATIENCE = 1000
"""Draws in a row that may bring nothing new before a type counts as exhausted."""
LICENCE = "Apache-2.0"
SLOT = re.compile(r"\{([a-z]+)2?\}")


class Kind(BaseModel):
    """How constraints of one type are drawn."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    args: dict[str, tuple[Any, ...]] = Field(default_factory=dict)
    """Argument -> its choices; `{request}` stands for the request itself."""
    requests: Literal["open", "closed"] = "open"
    """`closed`: the type needs a question that can be answered by yes or no."""
    default: bool = True
    """Whether it is drawn where a source names no families."""


class Instructions(BaseModel):
    """What `instructions.yaml` holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    slots: dict[str, tuple[str, ...]]
    requests: dict[Literal["open", "closed"], tuple[str, ...]]
    constraints: dict[str, Kind]
    apart: dict[str, tuple[str, ...]]
    """Type -> types or groups it does not go together with."""

    def together(self, one: str, other: str) -> bool:
        """Whether a prompt may hold constraints of both types."""
        pairs = ((one, other), (other, one))
        same_requests = self.constraints[one].requests == self.constraints[other].requests
        free = (not {b, group(b)} & set(self.apart.get(a, ())) for a, b in pairs)
        return one != other and same_requests and all(free)


@lru_cache(maxsize=1)
def instructions() -> Instructions:
    """The requests and constraints prompts are made of."""
    text = Path(__file__).with_name("instructions.yaml").read_text(encoding="utf-8")
    return Instructions.model_validate(yaml.safe_load(text))


def instruction_questions(source: DataSource, banned: Collection[str] = ()) -> Iterator[Question]:
    """`size` different prompts of each constraint type, the types in turn.

    A prompt belongs to the type of its first constraint; with `constraints` above 1 it may
    have more, and has `least_constraints` as far as that many types go together. No prompt's
    normalised text is in `banned`. The same source gives the same prompts. Raises `DataError`:
    an unknown type or group, or one that has fewer prompts.
    """
    kinds = _kinds(source.families)
    size = source.size or DEFAULT_SIZE
    seen: set[str] = set(banned)
    streams = {kind: _candidates(kind, kinds, source) for kind in kinds}
    for number in range(size):
        for kind, stream in streams.items():
            question = _fresh(stream, seen)
            if question is None:
                raise DataError(
                    f"the constraint type {kind!r} has only {number} different prompts to give "
                    f"(seed {source.seed}, {len(banned)} texts held out), and {size} are asked for",
                    "lower the size of this source, raise its constraints, or name other families",
                )
            yield question


def _kinds(families: Collection[str]) -> list[str]:
    """The types that names of types and of groups stand for; the default ones without any names."""
    known = instructions().constraints
    if not families:
        return [kind for kind in known if known[kind].default]
    options = dict.fromkeys((*known, *map(group, known)))
    for name in families:
        if name not in options:
            near = nearest(name, options)
            cure = f"did you mean {near!r}?" if near else meant(name)
            raise DataError(f"there is no constraint type or group {name!r}", cure)
    return [kind for kind in known if kind in families or group(kind) in families]


def _fresh(stream: Iterator[Question], seen: set[str]) -> Question | None:
    """The next prompt whose text is new, if one comes in time."""
    for _ in range(PATIENCE):
        question = next(stream)
        text = normalise(question.question)
        if text not in seen:
            seen.add(text)
            return question
    return None


def _candidates(kind: str, kinds: list[str], source: DataSource) -> Iterator[Question]:
    """Prompts whose first constraint is of a type, without end."""
    rng = random.Random(content_id([kind, source.seed]))
    for index in count():
        number = rng.randint(source.least_constraints, source.constraints)
        chosen = _chosen(kind, kinds, number, rng)
        request = _request(instructions().constraints[kind].requests, rng)
        constraints = [_constraint(one, request, rng) for one in chosen]
        said = (describe(one, rng.randrange(60)) for one in constraints)
        yield Question.of(
            " ".join((request, *said)),
            "",
            meta={"constraints": constraints},
            family=kind,
            skills=tuple(chosen),
            source=f"instructions:{kind}:{source.seed}:{index}",
            licence=LICENCE,
        )


def _chosen(kind: str, kinds: list[str], number: int, rng: random.Random) -> list[str]:
    """The type, and others that go together with it and with one another, as far as there are any."""
    chosen = [kind]
    while len(chosen) < number:
        free = [one for one in kinds if all(instructions().together(one, other) for other in chosen)]
        if not free:
            break
        chosen.append(rng.choice(free))
    return chosen


def _request(form: Literal["open", "closed"], rng: random.Random) -> str:
    """A request with its slots filled; `{name2}` is another entry of the slot `name`."""
    template = rng.choice(instructions().requests[form])
    slots: Mapping[str, list[str]] = {
        name: rng.sample(instructions().slots[name], 2) for name in dict.fromkeys(SLOT.findall(template))
    }
    return SLOT.sub(lambda slot: slots[slot[1]][slot[0].endswith("2}")], template)


def _constraint(kind: str, request: str, rng: random.Random) -> Constraint:
    args: dict[str, Any] = {}
    for name, choices in instructions().constraints[kind].args.items():
        choice = rng.choice(choices)
        if name in ("keywords", "forbidden_words"):
            choice = rng.sample(choices, rng.randint(1, 2))
        args[name] = request if choice == "{request}" else choice
    return constraint(kind, args, "instructions.yaml")
