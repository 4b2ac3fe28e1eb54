"""A skill catalogue made by the teacher: it names the skills of a sample of the pool, then merges."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import BaseModel

from synth.agents import Agent
from synth.engine import Context, Graph
from synth.engine.session import Session
from synth.errors import DataError
from synth.flows.answering import question_seeds
from synth.flows.stat.catalogue import Catalogue
from synth.flows.stat.params import Params
from synth.records import Question, Sampling, Seed

__all__ = ["Naming", "make_catalogue", "merge_graph", "name_graph"]


class Naming(BaseModel):
    """Skills the teacher names, first, and then why."""

    skills: list[str]
    reason: str = ""


class Merged(BaseModel):
    """The catalogue of one subject."""

    skills: list[str]


class State(TypedDict, total=False):
    """`output` holds `subject` and `skills`."""

    seed: Seed
    output: dict[str, Any]


def name_graph(params: Params) -> Graph:
    """name: the skills one question needs, in the teacher's words. A seed is a `Question`."""
    sampling = Sampling(max_tokens=params.max_tokens)
    teacher = Agent("name", "teacher", "name_skills", Naming, sampling)

    async def name(state: State, runtime: Runtime[Context]) -> State:
        data = state["seed"].data
        subject, question = data["family"], data["question"]
        said = await teacher(runtime.context, subject=subject, question=question, most=params.most_skills)
        return {"output": {"subject": subject, "skills": said.skills[: params.most_skills]}}

    builder = StateGraph(State, context_schema=Context)
    builder.add_node("name", name)
    builder.add_edge(START, "name")
    builder.add_edge("name", END)
    return builder.compile(name="stat-name")


def merge_graph(params: Params) -> Graph:
    """merge: one subject's names, most common first, made into its catalogue."""
    sampling = Sampling(max_tokens=params.max_tokens)
    teacher = Agent("merge", "teacher", "merge_skills", Merged, sampling)

    async def merge(state: State, runtime: Runtime[Context]) -> State:
        data = state["seed"].data
        said = await teacher(
            runtime.context, subject=data["subject"], names=data["names"], most=params.catalogue_size
        )
        skills = [skill.strip() for skill in said.skills if skill.strip()][: params.catalogue_size]
        return {"output": {"subject": data["subject"], "skills": skills}}

    builder = StateGraph(State, context_schema=Context)
    builder.add_node("merge", merge)
    builder.add_edge(START, "merge")
    builder.add_edge("merge", END)
    return builder.compile(name="stat-merge")


async def make_catalogue(session: Session, params: Params, pool: Sequence[Question]) -> Catalogue:
    """The stages `name` and `merge`. A subject whose merging failed keeps its commonest names.

    Raises `DataError` if the teacher named nothing.
    """
    rng = random.Random(f"{session.flow.seed}/catalogue")
    sample = rng.sample(list(pool), min(params.catalogue_sample, len(pool)))
    named = await session.stage("name", name_graph(params), question_seeds(sample), total=len(sample))
    counts: dict[str, Counter[str]] = {}
    for result in named:
        if result.output:
            names = {name.strip().lower() for name in result.output["skills"]} - {""}
            counts.setdefault(result.output["subject"], Counter()).update(names)
    ranked = {
        subject: sorted(count.items(), key=lambda item: (-item[1], item[0]))
        for subject, count in sorted(counts.items())
    }
    seeds = [Seed.of(subject=subject, names=names) for subject, names in ranked.items()]
    merged = await session.stage("merge", merge_graph(params), seeds, total=len(seeds))
    found = {result.output["subject"]: result.output["skills"] for result in merged if result.output}
    subjects = {
        subject: tuple(found.get(subject) or [name for name, _ in names[: params.catalogue_size]])
        for subject, names in ranked.items()
        if names
    }
    if not subjects:
        raise DataError(
            f"the teacher named no skill for any of {len(sample)} pool questions",
            "look at its replies in the run's rejected.jsonl, or give 'with.catalogue' a file",
        )
    return Catalogue(subjects)
