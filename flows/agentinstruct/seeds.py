"""Which passage is used for which skill, transformation and types: dealt, so that all come equally often."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice

from synth.data.documents import Passage
from synth.flows.agentinstruct.params import Params
from synth.flows.agentinstruct.skill import Skill
from synth.records import Seed

__all__ = ["Deck", "drawn", "plan_seeds"]


class Deck:
    """Names dealt in an order of chance, each once before any comes again. Without `balance` every
    deal is a draw of its own. The order depends on `key` and on how much was dealt before."""

    def __init__(self, names: Sequence[str], key: str, balance: bool) -> None:
        self._names = list(names)
        self._rng = random.Random(key)
        self._balance = balance
        self._left: list[str] = []

    def deal(self, count: int, allowed: Callable[[str], bool] = lambda name: True) -> list[str]:
        """`count` different names, or as many as are allowed."""
        candidates = [name for name in self._names if allowed(name)]
        count = min(count, len(candidates))
        if not self._balance:
            return self._rng.sample(candidates, count)
        dealt: list[str] = []
        while len(dealt) < count:
            usable = [name for name in self._left if allowed(name) and name not in dealt]
            if not usable:
                # What was not allowed this time waits its turn ahead of the new round.
                fresh = self._rng.sample(self._names, len(self._names))
                self._left += fresh
                continue
            self._left.remove(usable[0])
            dealt.append(usable[0])
        return dealt


def plan_seeds(
    passages: Iterable[Passage], skills: Mapping[str, Skill], params: Params, seed: int
) -> Iterator[Seed]:
    """One seed for each passage and skill, streamed: only the decks are held in memory."""
    key = f"{seed}/agentinstruct"
    skill_deck = Deck(list(skills), f"{key}/skills", params.balance)
    changes = {
        name: Deck([part.name for part in skill.transformations], f"{key}/{name}", params.balance)
        for name, skill in skills.items()
    }
    types = {
        name: Deck([part.name for part in skill.types], f"{key}/{name}/types", params.balance)
        for name, skill in skills.items()
    }
    for passage in passages:
        fit = {name for name, skill in skills.items() if passage.kind in skill.takes}
        data = passage.model_dump()
        dealt = skill_deck.deal(params.skills_per_seed or len(skills), fit.__contains__)
        for name in dealt:
            skill = skills[name]
            change = _transformation(skill, changes[name], params)
            useful = {part.name for part in skill.types_after(change)}
            yield Seed.of(
                skill=name,
                transformation=change,
                types=types[name].deal(params.types_per_seed, useful.__contains__),
                passage=data,
            )


def _transformation(skill: Skill, deck: Deck, params: Params) -> str:
    """The dealt one; a copy in the control arm, where the skill has one."""
    if params.arm == "control-identity":
        copies = [part.name for part in skill.transformations if part.makes == "copy"]
        return deck.deal(1, copies.__contains__ if copies else lambda name: True)[0]
    return deck.deal(1)[0]


def drawn(passages: Iterable[Passage], limit: int | None, seed: int) -> Iterable[Passage]:
    """A uniform draw of `limit` passages in the order of the stream (reservoir, algorithm R)."""
    if limit is None:
        return passages
    rng = random.Random(f"{seed}/passages")
    stream = enumerate(passages)
    kept = list(islice(stream, limit))
    for index, passage in stream:
        place = rng.randint(0, index)
        if place < limit:
            kept[place] = (index, passage)
    return [passage for _, passage in sorted(kept, key=lambda pair: pair[0])]
