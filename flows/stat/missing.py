"""The Missing-Skill-Profile: a plain function between STAT's two stages, and what is drawn by it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from synth.engine import Result
from synth.flows.stat.params import Params
from synth.records import Question, Seed
from synth.stats import wilson

__all__ = ["MissingSkillProfile", "Pair", "SkillRow", "count_missing", "pairs_of", "plan_seeds"]


class SkillRow(BaseModel):
    """One skill: how many of its questions were asked and failed (`low` to `high` is the 95 %
    interval of that share), how often the teacher named it, and its share of all labels."""

    skill: str
    asked: int
    difficult: int
    missing: int
    share: float
    low: float
    high: float
    draws: int = 0


class MissingSkillProfile(BaseModel):
    """The student's weakness as a histogram over skills, the weakest first."""

    asked: int
    difficult: int
    skills: list[SkillRow]


@dataclass(frozen=True)
class Pair:
    """A failed question and a skill missing in it: what one training example is made for."""

    question_id: str
    question: str
    skill: str


def count_missing(questions: Iterable[Question], results: Iterable[Result]) -> MissingSkillProfile:
    """The profile of a student from the results of the profile stage."""
    skills_of = {question.id: question.skills for question in questions}
    asked: Counter[str] = Counter()
    difficult: Counter[str] = Counter()
    missing: Counter[str] = Counter()
    failed = 0
    outputs = [result.output for result in results if result.output]
    for output in outputs:
        asked.update(skills_of[output["id"]])
        if not output["correct"]:
            failed += 1
            difficult.update(skills_of[output["id"]])
            missing.update(output["skills"])
    labels = missing.total() or 1
    rows = []
    for skill in asked.keys() | missing.keys():
        interval = wilson(difficult[skill], asked[skill])
        rows.append(
            SkillRow(
                skill=skill,
                asked=asked[skill],
                difficult=difficult[skill],
                missing=missing[skill],
                share=missing[skill] / labels,
                low=interval.low,
                high=interval.high,
            )
        )
    rows.sort(key=lambda row: (-row.missing, row.skill))
    return MissingSkillProfile(asked=len(outputs), difficult=failed, skills=rows)


def pairs_of(
    results: Iterable[Result], questions: Sequence[Question], catalogue: Sequence[str], arm: str, seed: int
) -> list[Pair]:
    """(failed question, missing skill) pairs, as the arm has them; the paper's Stage 2 output."""
    pairs = [
        Pair(result.output["id"], result.output["question"], skill)
        for result in results
        for skill in result.output.get("skills", ())
    ]
    rng = random.Random(f"{seed}/{arm}")
    if arm == "control-uniform":
        by_skill = {skill: [q for q in questions if skill in q.skills] for skill in catalogue}
        return [_uniform(by_skill, rng) for _ in pairs]
    if arm == "control-shuffled":
        labels = [pair.skill for pair in pairs]
        rng.shuffle(labels)
        return [Pair(p.question_id, p.question, skill) for p, skill in zip(pairs, labels, strict=True)]
    return pairs


def _uniform(by_skill: dict[str, list[Question]], rng: random.Random) -> Pair:
    """A skill drawn without regard to the profile, with any profile question of that skill."""
    skill = rng.choice([skill for skill, questions in by_skill.items() if questions])
    question = rng.choice(by_skill[skill])
    return Pair(question.id, question.question, skill)


def plan_seeds(pairs: Sequence[Pair], pool: Sequence[Question], params: Params, seed: int) -> Iterator[Seed]:
    """Seeds of the generate stage: `draws` for each pair, then replay to its share of the whole."""
    rng = random.Random(f"{seed}/plan")
    # Pairs are numbered: in a control the same one may be drawn twice, and is then meant twice.
    targeted = [(n, pair, draw) for n, pair in enumerate(pairs) for draw in range(params.draws)]
    wanted = round(params.examples * (1 - params.replay_share))
    if len(targeted) > wanted:
        targeted = rng.sample(targeted, wanted)
    for n, pair, draw in targeted:
        yield Seed.of(
            kind=params.mode,
            skill=pair.skill,
            failed=pair.question_id,
            question=pair.question,
            pair=n,
            draw=draw,
        )
    # Replay without repetition: a question shown twice teaches nothing new.
    share = params.replay_share
    replayed = min(len(pool), round(len(targeted) * share / (1 - share)))
    for question in rng.sample(sorted(pool, key=lambda question: question.id), replayed):
        yield Seed.of(kind="replay", skill="", failed="", question=question.id)
