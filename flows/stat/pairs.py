"""(Failed question, missing skill) pairs, as the arm has them, and the training questions drawn by them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from synth.engine import Result
from synth.flows.stat.missing import MissingSkillProfile
from synth.flows.stat.params import Params
from synth.records import Question, Seed

__all__ = ["Pair", "pairs_of", "plan_like", "plan_near", "plan_seeds", "progress_of"]

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
        by_skill = {skill: [q for q in questions if skill in q.skills] for skill in catalogue}
        return [_uniform(by_skill, rng) for _ in pairs]
    if params.arm == "control-shuffled":
        labels = [pair.skill for pair in pairs]
        rng.shuffle(labels)
        return [Pair(p.question_id, p.question, skill) for p, skill in zip(pairs, labels, strict=True)]
    if params.arm == "control-random":
        # A skill that no question is asked of could be trained by nothing.
        known = [skill for skill in catalogue if any(skill in question.skills for question in questions)]
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


def _uniform(by_skill: Mapping[str, Sequence[Question]], rng: random.Random) -> Pair:
    """A skill drawn without regard to the profile, with any profile question of that skill."""
    skill = rng.choice([skill for skill, questions in by_skill.items() if questions])
    question = rng.choice(by_skill[skill])
    return Pair(question.id, question.question, skill)


def plan_seeds(pairs: Sequence[Pair], pool: Sequence[Question], params: Params, seed: int) -> Iterator[Seed]:
    """Seeds of the generate stage: `per_pair` for each pair, then replay to its share of the whole."""
    # Pairs are numbered: in a control the same one may be drawn twice, and is then meant twice.
    seeds = (
        {
            "kind": params.mode,
            "skill": pair.skill,
            "failed": pair.question_id,
            "question": pair.question,
            "pair": n,
            "draw": draw,
        }
        for n, pair in enumerate(pairs)
        for draw in range(params.per_pair)
    )
    return _with_replay(list(seeds), pool, params, seed)


def plan_near(
    near: Mapping[str, Sequence[str]], pool: Sequence[Question], params: Params, seed: int
) -> Iterator[Seed]:
    """Seeds of `control-embedding`: failed question's id -> ids of its nearest pool questions."""
    seeds = [
        {"kind": "near", "skill": "", "failed": failed, "question": question}
        for failed, questions in near.items()
        for question in questions
    ]
    return _with_replay(seeds, pool, params, seed)


def plan_like(
    near: Mapping[str, Sequence[str]],
    failed: Sequence[Question],
    pool: Sequence[Question],
    params: Params,
    seed: int,
) -> Iterator[Seed]:
    """Seeds of `control-embed-syn`: new questions for each failed one, its nearest as references."""
    seeds: list[Mapping[str, object]] = [
        {
            "kind": "near-syn",
            "skill": "",
            "failed": question.id,
            "question": question.question,
            "references": list(near[question.id]),
            "draw": draw,
        }
        for question in failed
        if question.id in near
        for draw in range(params.neighbours)
    ]
    return _with_replay(seeds, pool, params, seed)


def _with_replay(
    targeted: Sequence[Mapping[str, object]], pool: Sequence[Question], params: Params, seed: int
) -> Iterator[Seed]:
    rng = random.Random(f"{seed}/plan")
    share = params.replay_share
    wanted = round(params.examples * (1 - share))
    if len(targeted) > wanted:
        targeted = rng.sample(targeted, wanted)
    for data in targeted:
        yield Seed.of(**data)
    # Replay without repetition: a question shown twice teaches nothing new.
    replayed = min(len(pool), round(len(targeted) * share / (1 - share)))
    for question in rng.sample(sorted(pool, key=lambda question: question.id), replayed):
        yield Seed.of(kind="replay", skill="", failed="", question=question.id)
