"""STAT, skill-targeted adaptive training (arXiv 2510.10023), as LangGraph graphs.

The *profile* graph has the student answer questions, finds the difficult ones, and has the
teacher name the skills it misses. The Missing-Skill-Profile counts them. The *make* graph
turns every (difficult question, missing skill) pair into training examples: drawn from the
pool (STAT-Sel), or newly written and kept when independent solutions agree (STAT-Syn). With
`data.target` later rounds profile the student on another set (STAT-Con). Where the data name
no skills, three graphs before these make a catalogue and map the questions onto it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from synth.config import Evaluate
from synth.config.locate import locate
from synth.engine import Flow, Result
from synth.engine.folder import RunFolder
from synth.engine.session import Session
from synth.flows.answering import question_seeds
from synth.flows.controls import swap_answers
from synth.flows.stat.catalogue import Catalogue, read_catalogue
from synth.flows.stat.check import check
from synth.flows.stat.draws import at_large, by_pairs, like_nearest, nearest, replayed, targeted
from synth.flows.stat.make import make_graph
from synth.flows.stat.missing import MissingSkillProfile, count_missing, read_history
from synth.flows.stat.naming import make_catalogue, merge_graph, name_graph
from synth.flows.stat.neighbours import embed_graph, nearest_questions
from synth.flows.stat.pairs import pairs_of
from synth.flows.stat.params import Params
from synth.flows.stat.plan import plan
from synth.flows.stat.pool import Pool
from synth.flows.stat.profile import profile_graph
from synth.flows.stat.skillmap import map_graph, map_questions
from synth.records import Question, Sample, Seed

__all__ = ["Params", "build"]


def build() -> Flow:
    """The flow `stat`: roles `student` and `teacher` (and `reward`, `embedder` where asked for), data
    `pool`, `profile` and `test` (and `target` for STAT-Con)."""
    return Flow(
        name="stat",
        params=Params,
        generate=generate,
        roles=("student", "teacher"),
        sources=("pool", "profile", "test"),
        graphs=_graphs,
        plan=plan,
        check=check,
        makes=lambda params: {"student": "answers"},
        citation="STAT: Skill-Targeted Adaptive Training, arXiv 2510.10023",
    )


async def generate(session: Session) -> Iterable[Sample]:
    """One round: profile the student, then make its examples. Samples come in seed order."""
    params = session.params
    assert isinstance(params, Params)
    settings, source = session.flow.evaluate, _source(session, params)
    pool, asked = session.questions("pool"), session.questions(source)
    catalogue = await _catalogue(session, params, pool, asked)
    pool, asked = await map_questions(session, params, catalogue, pool, asked)

    results = await session.stage(
        "profile",
        profile_graph(params, settings),
        question_seeds(asked),
        total=len(asked),
        extras={"catalogue": catalogue},
    )
    history = read_history(session.folder.path / "rounds", session.round, source)
    profile = count_missing(asked, results, history, round=session.round, source=source)
    index = Pool.of(pool, catalogue, asked, 0 if params.faithful else params.min_items)
    rng = random.Random(f"{session.flow.seed}/plan")
    if params.by_likeness:
        seeds = await _near(session, params, results, asked, pool)
    else:
        pairs = pairs_of(results, asked, catalogue.skills, params, session.flow.seed, profile)
        seeds = by_pairs(pairs, params)
    seeds = targeted(seeds, params, rng)
    if params.arm == "control-pool":
        seeds = at_large(len(seeds), pool, rng)
    _note(session, profile, index, seeds)
    await _make(session, params, index, seeds, rng)
    profile.made = dict(Counter(sample.meta["kind"] for sample in _samples(session)))
    _write(session, profile)
    if params.arm == "control-format":
        return swap_answers(_samples(session), session.flow.seed, lambda sample: sample.family)
    return _samples(session)


async def _make(
    session: Session, params: Params, pool: Pool, seeds: Sequence[Seed], rng: random.Random
) -> None:
    """The stages `make`, and `replay` for what came of it: a question may come to several examples."""
    graph, extras = make_graph(params, session.flow.evaluate), {"pool": pool}
    await session.run_stage("make", graph, seeds, total=len(seeds), extras=extras)
    made = sum(1 for _ in session.samples("make"))
    again = replayed(made, list(pool.by_id.values()), seeds, params, rng)
    if again:
        await session.run_stage("replay", graph, again, total=len(again), extras=extras)


def _samples(session: Session) -> Iterator[Sample]:
    return chain(session.samples("make"), session.samples("replay"))


def _source(session: Session, params: Params) -> str:
    """The data set the student is profiled on in this round."""
    continual = "target" in session.flow.data and session.round >= params.target_round
    return "target" if continual else "profile"


async def _catalogue(
    session: Session, params: Params, pool: Sequence[Question], asked: Sequence[Question]
) -> Catalogue:
    """From the data, the teacher, or a file. Raises `DataError`."""
    if params.catalogue == "data":
        return Catalogue.of((*pool, *asked))
    if params.catalogue == "teacher":
        return await make_catalogue(session, params, pool)
    path = locate(params.catalogue, session.path, Path())
    return read_catalogue(path or Path(params.catalogue))


async def _near(
    session: Session,
    params: Params,
    results: Sequence[Result],
    asked: Sequence[Question],
    pool: Sequence[Question],
) -> list[Seed]:
    """Seeds of the controls by likeness, for as many difficult questions as the other arms use."""
    difficult = {result.output["id"] for result in results if result.output.get("skills")}
    failed = [question for question in asked if question.id in difficult]
    if len(failed) > params.difficult:
        failed = random.Random(f"{session.flow.seed}/difficult").sample(failed, params.difficult)
    if params.arm == "control-embed-syn":
        near = await nearest_questions(session, failed, pool, params.references)
        return like_nearest(near, failed, params)
    return nearest(await nearest_questions(session, failed, pool, params.neighbours))


def _note(session: Session, profile: MissingSkillProfile, pool: Pool, seeds: Sequence[Seed]) -> None:
    """Write the profile, with what is drawn by it."""
    drawn = [seed.data["skill"] for seed in seeds]
    for row in profile.skills:
        row.draws = drawn.count(row.skill)
        row.pool = pool.count(row.skill)
        row.stand_in = pool.stand_ins.get(row.skill, "")
    profile.used = len({seed.data["failed"] for seed in seeds} - {""})
    _write(session, profile)


def _write(session: Session, profile: MissingSkillProfile) -> None:
    RunFolder.write_json(session.folder.round(session.round) / "profile.json", profile)


def _graphs() -> dict[str, Any]:
    params, settings = Params(), Evaluate()
    return {
        "name": name_graph(params),
        "merge": merge_graph(params),
        "map": map_graph(params),
        "profile": profile_graph(params, settings),
        "embed": embed_graph(),
        "make": make_graph(params, settings),
    }
