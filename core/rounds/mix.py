"""What a round draws from: the pool's sources in the shares that the curriculum gives them."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from statistics import fmean
from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from synth.agents import ask
from synth.config import Curriculum, Evaluate
from synth.engine import Context, Graph
from synth.engine.folder import RunFolder
from synth.engine.session import Session
from synth.errors import DataError
from synth.flows.answering import question_messages, question_seeds
from synth.records import Question, Sampling, Seed
from synth.rounds.curriculum import CURRICULUM, Mix, Source, SourceMix, advantages, apportion, probabilities
from synth.runs.runfiles import read_json
from synth.verify import judge

__all__ = ["attempts_graph", "mix"]

STAGE = "curriculum"


class Attempts(TypedDict, total=False):
    """State of the graph; `output` has the question's family and the score of each answer."""

    seed: Seed
    output: dict[str, Any]


def attempts_graph(settings: Evaluate, curriculum: Curriculum) -> Graph:
    """The student answers a question several times; each answer gets its score."""
    sampling = Sampling(temperature=curriculum.sample_temperature, max_tokens=settings.max_tokens)

    async def answer(state: Attempts, runtime: Runtime[Context]) -> Attempts:
        question = Question.model_validate(state["seed"].data)
        messages = question_messages(question.question, settings)
        replies = await ask(
            runtime.context, "student", messages, sampling, agent="attempt", n=curriculum.samples
        )
        judged = [
            await judge(reply.text, question, settings.verifier, truncated=reply.truncated)
            for reply in replies
        ]
        return {"output": {"family": question.family, "scores": [one.score for one in judged]}}

    builder = StateGraph(Attempts, context_schema=Context)
    builder.add_node("answer", answer)
    builder.add_edge(START, "answer")
    builder.add_edge("answer", END)
    return builder.compile(name="curriculum")


async def mix(session: Session) -> None:
    """Let this round draw from a part of the pool, where the flow file has a curriculum.

    The student answers the questions of `curriculum.data`, and the draw is written to `curriculum.json`.
    Raises `DataError` where one of the pool's sources has no question there.
    """
    curriculum = session.flow.curriculum
    if curriculum is None:
        return
    asked, pool = session.questions(curriculum.data), session.questions(curriculum.pool)
    _check(curriculum, asked, pool)
    graph = attempts_graph(session.flow.evaluate, curriculum)
    await session.stage(STAGE, graph, question_seeds(asked), total=len(asked))
    groups: defaultdict[str, list[Question]] = defaultdict(list)
    for question in pool:
        groups[question.family].append(question)
    known = {name: _known(session, curriculum, name) for name in sorted(groups)}
    shares = probabilities(known, curriculum.temperature)
    size = round(curriculum.share * len(pool))
    drawn = apportion(shares, {name: len(found) for name, found in groups.items()}, size)
    rng = random.Random(f"{session.flow.seed}/curriculum/{session.round}")
    chosen = {question.id for name in drawn for question in rng.sample(groups[name], drawn[name])}
    session.sources.mixed = {curriculum.pool: [question for question in pool if question.id in chosen]}
    rows = [
        SourceMix(
            source=name,
            advantage=source.advantage,
            right=_mean([score for scores in _scores(session, name, session.round) for score in scores]),
            share=shares[name],
            drawn=drawn[name],
            held=len(groups[name]),
        )
        for name, source in known.items()
    ]
    RunFolder.write_json(session.folder.round(session.round) / CURRICULUM, Mix(sources=rows))


def _check(curriculum: Curriculum, asked: Sequence[Question], pool: Sequence[Question]) -> None:
    missing = sorted({question.family for question in pool} - {question.family for question in asked})
    if missing:
        raise DataError(
            f"the curriculum asks data.{curriculum.data} how much each source of data.{curriculum.pool} "
            f"teaches, and it has no question of {', '.join(map(repr, missing))}",
            "name the same families (or skills) under both, or another source as curriculum.data",
        )


def _known(session: Session, curriculum: Curriculum, name: str) -> Source:
    """A source over all rounds so far: its latest answers, this round's among them, and what was drawn."""
    sizes = [
        abs(advantage)
        for number in range(1, session.round + 1)
        for scores in _scores(session, name, number)
        for advantage in advantages(scores)
    ]
    earlier: Counter[str] = Counter()
    for number in range(1, session.round):
        found = read_json(session.folder.round(number) / CURRICULUM, Mix, [])
        earlier.update({row.source: row.drawn for row in found.sources} if found else {})
    return Source(_mean(sizes[-curriculum.window :]), earlier[name])


def _scores(session: Session, name: str, number: int) -> list[list[float]]:
    """Of a source's questions in one round: the scores of each one's answers."""
    outputs = [result.output for result in session.results(STAGE, number) if result.output]
    return [output["scores"] for output in outputs if output["family"] == name]


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else 0.0
