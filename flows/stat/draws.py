"""Seeds of the stages `make` and `replay`: which training questions an arm has drawn or written."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from synth.flows.stat.pairs import Pair
from synth.flows.stat.params import Params
from synth.records import Question, Seed

__all__ = ["at_large", "by_pairs", "like_nearest", "nearest", "replayed", "targeted"]


def by_pairs(pairs: Sequence[Pair], params: Params) -> list[Seed]:
    """`per_pair` training questions for each pair."""
    # Pairs are numbered: in a control the same one may be drawn twice, and is then meant twice.
    return [
        Seed.of(
            kind=params.mode,
            skill=pair.skill,
            failed=pair.question_id,
            question=pair.question,
            pair=number,
            draw=draw,
        )
        for number, pair in enumerate(pairs)
        for draw in range(params.per_pair)
    ]


def nearest(near: Mapping[str, Sequence[str]]) -> list[Seed]:
    """`control-embedding`: failed question's id -> ids of its nearest pool questions."""
    return [
        Seed.of(kind="near", skill="", failed=failed, question=question)
        for failed, questions in near.items()
        for question in questions
    ]


def like_nearest(near: Mapping[str, Sequence[str]], failed: Sequence[Question], params: Params) -> list[Seed]:
    """`control-embed-syn`: new questions for each failed one, its nearest as references."""
    return [
        Seed.of(
            kind="near-syn",
            skill="",
            failed=question.id,
            question=question.question,
            references=list(near[question.id]),
            draw=draw,
        )
        for question in failed
        if question.id in near
        for draw in range(params.neighbours)
    ]


def at_large(count: int, pool: Sequence[Question], rng: random.Random) -> list[Seed]:
    """`control-pool`: as many pool questions, each once, as far as there are any."""
    drawn = rng.sample(_sorted(pool), min(count, len(pool)))
    return [Seed.of(kind="pool", skill="", failed="", question=question.id) for question in drawn]


def targeted(seeds: Sequence[Seed], params: Params, rng: random.Random) -> list[Seed]:
    """The seeds, or a uniform draw of as many as `examples` leaves beside replay."""
    most = round(params.examples * (1 - params.replay_share))
    return rng.sample(seeds, most) if len(seeds) > most else list(seeds)


def replayed(
    examples: int, pool: Sequence[Question], drawn: Sequence[Seed], params: Params, rng: random.Random
) -> list[Seed]:
    """Pool questions at large for so many targeted examples, so that they make up their share of all."""
    share = params.replay_share
    # Without repetition: a question shown twice teaches nothing new.
    used = {seed.data["question"] for seed in drawn if seed.data["kind"] == "pool"}
    free = [question for question in _sorted(pool) if question.id not in used]
    count = min(len(free), round(examples * share / (1 - share)))
    return [
        Seed.of(kind="replay", skill="", failed="", question=question.id)
        for question in rng.sample(free, count)
    ]


def _sorted(pool: Sequence[Question]) -> list[Question]:
    return sorted(pool, key=lambda question: question.id)
