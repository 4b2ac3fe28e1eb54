"""Prompt evolution: a constraint of a category drawn at random is woven into a plain prompt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import yaml
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from synth.agents import ask, load_prompt
from synth.chat import Dropped
from synth.engine import Context, Graph
from synth.errors import DataError
from synth.flows.spar.marks import between_marks
from synth.flows.spar.params import Params
from synth.records import Question, Sampling, Seed

__all__ = ["Category", "evolve_graph", "read_taxonomy"]


@dataclass(frozen=True, slots=True)
class Category:
    """One kind of constraint."""

    root: str
    name: str
    about: str


def read_taxonomy(path: Path | None = None) -> tuple[Category, ...]:
    """The categories of a YAML file, root -> name -> what it is about; by default the paper's 14.

    Raises `DataError`.
    """
    path = path or Path(__file__).with_name("taxonomy.yaml")
    try:
        roots = yaml.safe_load(path.read_text(encoding="utf-8"))
        found = tuple(
            Category(str(root), str(name), str(about))
            for root, names in roots.items()
            for name, about in names.items()
        )
    except (OSError, yaml.YAMLError, AttributeError) as error:
        raise DataError(
            f"reading the constraint categories of {path}: {error}",
            "write root: {name: what it is about} in YAML, as flows/spar/taxonomy.yaml does",
        ) from error
    if not found:
        raise DataError(f"{path} has no constraint category", "write root: {name: what it is about}")
    return found


class Evolving(TypedDict, total=False):
    """State of the graph. A seed is a `Question`; `output` is the one made of it."""

    seed: Seed
    output: dict[str, Any]


def evolve_graph(params: Params, taxonomy: tuple[Category, ...]) -> Graph:
    """One node: the teacher writes the prompt anew around a main constraint and a few others."""
    prompt = load_prompt("evolve_prompt")
    sampling = Sampling(temperature=params.evolve_temperature, max_tokens=params.evolve_max_tokens)

    async def evolve(state: Evolving, runtime: Runtime[Context]) -> Evolving:
        question = Question.model_validate(state["seed"].data)
        category = runtime.context.rng.choice(taxonomy)
        messages = prompt.render(prompt=question.question, category=category, more=params.more_constraints)
        replies = await ask(
            runtime.context, "teacher", messages, sampling, agent="evolve", prompt_hash=prompt.hash
        )
        return {"output": _evolved(question, category, replies[0].text).model_dump()}

    builder = StateGraph(Evolving, context_schema=Context)
    builder.add_node("evolve", evolve)
    builder.add_edge(START, "evolve")
    builder.add_edge("evolve", END)
    return builder.compile(name="spar-evolve")


def _evolved(question: Question, category: Category, reply: str) -> Question:
    """The new prompt. Raises `Dropped`: unreadable, or one that takes no such constraints."""
    text = between_marks(reply)
    if text is None:
        raise Dropped("unparsed", "evolve", "no prompt between [[start]] and [[end]]", reply)
    if text.rstrip(".").casefold() == "none":
        raise Dropped("unsuitable", "evolve", "the prompt takes no such constraints", question.question)
    meta = {"origin": question.id, "main_constraint": category.name}
    return Question.of(
        text, "", family=category.name, source=question.source, licence=question.licence, meta=meta
    )
