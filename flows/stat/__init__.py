"""STAT, skill-targeted adaptive training (arXiv 2510.10023), as two LangGraph graphs.

The *profile* graph has the student answer questions, finds those it fails, and has the
teacher name the skills it misses. The Missing-Skill-Profile counts them. The *make* graph
turns every (failed question, missing skill) pair into training examples: drawn from the
pool (STAT-Sel), or newly written and kept when independent solutions agree (STAT-Syn).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any

from synth.config import Evaluate
from synth.engine import Flow
from synth.engine.folder import RunFolder
from synth.engine.session import Session
from synth.errors import DataError
from synth.flows.answering import question_seeds
from synth.flows.stat.make import Pool, make_graph
from synth.flows.stat.missing import count_missing, pairs_of, plan_seeds
from synth.flows.stat.params import Params
from synth.flows.stat.plan import plan
from synth.flows.stat.profile import profile_graph
from synth.records import Message, Question, Sample, content_id

__all__ = ["Params", "build"]


def build() -> Flow:
    """The flow `stat`: roles `student` and `teacher`, data `pool`, `profile` and `test`."""
    return Flow(
        name="stat",
        params=Params,
        generate=generate,
        roles=("student", "teacher"),
        sources=("pool", "profile", "test"),
        graphs=_graphs,
        plan=plan,
        citation="STAT: Skill-Targeted Adaptive Training, arXiv 2510.10023",
    )


async def generate(session: Session) -> Iterable[Sample]:
    """One round: profile the student, then make its examples. Samples come in seed order."""
    params = session.params
    assert isinstance(params, Params)
    pool, asked = session.questions("pool"), session.questions("profile")
    catalogue = _catalogue(pool, asked)
    settings = session.flow.evaluate

    results = await session.stage(
        "profile",
        profile_graph(params, settings),
        question_seeds(asked),
        total=len(asked),
        extras={"skills": catalogue},
    )
    profile = count_missing(asked, results)
    pairs = pairs_of(results, asked, catalogue, params.arm, session.flow.seed)
    seeds = list(plan_seeds(pairs, pool, params, session.flow.seed))
    drawn = [seed.data["skill"] for seed in seeds]
    for row in profile.skills:
        row.draws = drawn.count(row.skill)
    RunFolder.write_json(session.folder.round(session.round) / "profile.json", profile)

    await session.run_stage(
        "make", make_graph(params, settings), seeds, total=len(seeds), extras={"pool": Pool.of(pool)}
    )
    samples = session.samples("make")
    return _swap_answers(list(samples), session.flow.seed) if params.arm == "control-format" else samples


def _catalogue(pool: Sequence[Question], asked: Sequence[Question]) -> tuple[str, ...]:
    """All skills the data name. Raises `DataError` if it names none."""
    skills = {skill for question in (*pool, *asked) for skill in question.skills}
    if not skills:
        raise DataError(
            "STAT needs the skills of its questions, and neither the pool nor the profile set names any",
            "say which field holds them: skill: FIELD under data.pool and data.profile",
        )
    return tuple(sorted(skills))


def _swap_answers(samples: list[Sample], seed: int) -> list[Sample]:
    """The format-only control: every question gets the answer of another one of its family."""
    rng = random.Random(f"{seed}/format")
    by_family: dict[str, list[int]] = {}
    for index, sample in enumerate(samples):
        by_family.setdefault(sample.family, []).append(index)
    swapped = list(samples)
    for indices in by_family.values():
        rng.shuffle(indices)
        for here, there in zip(indices, indices[1:] + indices[:1], strict=True):
            other = samples[there].completion
            swapped[here] = _answered(samples[here], other)
    return swapped


def _answered(sample: Sample, completion: list[Message] | None) -> Sample:
    identity = content_id([sample.prompt, completion])
    return sample.model_copy(update={"completion": completion, "id": identity})


def _graphs() -> dict[str, Any]:
    params, settings = Params(), Evaluate()
    return {"profile": profile_graph(params, settings), "make": make_graph(params, settings)}
