"""The Skill-Map: which skills of the catalogue each question needs (the paper's Stage 0)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from synth.agents import Agent
from synth.chat import Dropped
from synth.engine import Context, Graph
from synth.engine.session import Session
from synth.flows.answering import question_seeds
from synth.flows.stat.catalogue import Catalogue
from synth.flows.stat.naming import Naming
from synth.flows.stat.params import Params
from synth.records import Question, Sampling, Seed

__all__ = ["map_graph", "map_questions"]


class State(TypedDict, total=False):
    """`output` holds the question's `id` and `skills`, and the labels that are no skills (`strangers`)."""

    seed: Seed
    output: dict[str, Any]


def map_graph(params: Params) -> Graph:
    """map: a question's skills out of its own subject's list. A seed is a `Question`."""
    teacher = Agent("map", "teacher", "map_skills", Naming, Sampling(max_tokens=params.max_tokens))

    async def map_one(state: State, runtime: Runtime[Context]) -> State:
        data = state["seed"].data
        catalogue: Catalogue = runtime.context.extras["catalogue"]
        said = await teacher(
            runtime.context,
            skills=catalogue.shown(data["family"]),
            question=data["question"],
            most=params.most_skills,
        )
        skills, strangers = catalogue.read(said.skills, data["family"])
        if not skills:
            raise Dropped("no-skill", "map", "no skill of the catalogue was named", raw=str(said.skills))
        return {"output": {"id": data["id"], "skills": skills[: params.most_skills], "strangers": strangers}}

    builder = StateGraph(State, context_schema=Context)
    builder.add_node("map", map_one)
    builder.add_edge(START, "map")
    builder.add_edge("map", END)
    return builder.compile(name="stat-map")


async def map_questions(
    session: Session, params: Params, catalogue: Catalogue, *sources: Sequence[Question]
) -> list[list[Question]]:
    """The sources with skills of the catalogue alone: a question's own where it names such, else
    the teacher's (the stage `map`, which runs only if there is such a question)."""
    known = set(catalogue.skills)
    every = {question.id: question for source in sources for question in source}
    unmapped = [question for question in every.values() if not known.intersection(question.skills)]
    found: dict[str, tuple[str, ...]] = {}
    if unmapped:
        results = await session.stage(
            "map",
            map_graph(params),
            question_seeds(unmapped),
            total=len(unmapped),
            extras={"catalogue": catalogue},
        )
        found = {result.output["id"]: tuple(result.output["skills"]) for result in results if result.output}

    def with_skills(question: Question) -> Question:
        own = tuple(skill for skill in question.skills if skill in known)
        skills = own or found.get(question.id, ())
        return question if skills == question.skills else question.model_copy(update={"skills": skills})

    return [[with_skills(question) for question in source] for source in sources]
