"""(Failed question, missing skill) pairs, as the arm has them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from synth.engine import Result
from synth.flows.stat.missing import MissingSkillProfile
from synth.flows.stat.params import Params
from synth.records import Question

__all__ = ["Pair", "pairs_of", "progress_of"]

FLOOR = 0.05
"""Progress a skill is given at least, as a share of its questions: one that stood still is not given up."""


@dataclass(frozen=True)
class Pair:
    """A failed question and a skill missing in it: what one training example is made for."""

    question_id: str
    question: str
    skill: str


def pairs_of(
    results: Iterable[Result],
    questions: Sequence[Question],
    catalogue: Sequence[str],
    params: Params,
    seed: int,
    profile: MissingSkillProfile | None = None,
) -> list[Pair]:
    """The pairs of at most `difficult` questions; the paper's Stage 2 output, or a control's.

    `profile` is what progress is read from, where `progress` is on.
    """
    pairs = [
        Pair(result.output["id"], result.output["question"], skill)
        for result in results
        for skill in result.output.get("skills", ())
    ]
    pairs = _frequent(_capped(pairs, params.difficult, seed), params.min_count)
    rng = random.Random(f"{seed}/{params.arm}")
    if params.arm == "control-uniform":
        return [_uniform(_known(catalogue, questions), questions, rng) for _ in pairs]
    if params.arm == "control-shuffled":
        labels = [pair.skill for pair in pairs]
        rng.shuffle(labels)
        return [Pair(p.question_id, p.question, skill) for p, skill in zip(pairs, labels, strict=True)]
    if params.arm == "control-random":
        known = _known(catalogue, questions)
        return [Pair(pair.question_id, pair.question, rng.choice(known)) for pair in pairs]
    if params.progress and pairs and profile is not None and (weights := progress_of(profile)):
        return rng.choices(pairs, [weights.get(pair.skill, FLOOR) for pair in pairs], k=len(pairs))
    return pairs


def progress_of(profile: MissingSkillProfile) -> dict[str, float]:
    """Skill -> how far the share failed fell since the round before, at least `FLOOR`; empty
    without history. Times its pairs, which count its failures, that is the skill's weight."""
    found = {}
    for row in profile.skills:
        if row.earlier and row.earlier[-1].asked:
            before = row.earlier[-1].difficult / row.earlier[-1].asked
            found[row.skill] = max(FLOOR, before - row.failed)
    return found


def _capped(pairs: list[Pair], most: int, seed: int) -> list[Pair]:
    """The pairs of a uniform draw of `most` questions."""
    ids = list(dict.fromkeys(pair.question_id for pair in pairs))
    if len(ids) <= most:
        return pairs
    kept = set(random.Random(f"{seed}/difficult").sample(ids, most))
    return [pair for pair in pairs if pair.question_id in kept]


def _frequent(pairs: list[Pair], least: int) -> list[Pair]:
    counts = Counter(pair.skill for pair in pairs)
    return [pair for pair in pairs if counts[pair.skill] >= least]


def _known(catalogue: Sequence[str], questions: Sequence[Question]) -> list[str]:
    """The skills some question is asked of; all of the catalogue where none is mapped."""
    named = {skill for question in questions for skill in question.skills}
    return [skill for skill in catalogue if skill in named] or list(catalogue)


def _uniform(skills: Sequence[str], questions: Sequence[Question], rng: random.Random) -> Pair:
    """A skill drawn without regard to the profile, with any profile question of that skill."""
    skill = rng.choice(skills)
    question = rng.choice([question for question in questions if skill in question.skills] or questions)
    return Pair(question.id, question.question, skill)
