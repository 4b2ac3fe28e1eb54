"""The recipe in a round: a model tags samples, and what the recipe wants of them stays."""

from __future__ import annotations

from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from synth.agents import Agent
from synth.chat import Dropped
from synth.config.selection import Recipe
from synth.curation import Curated, sift
from synth.curation.recipe import Tags, by_recipe, tagged
from synth.curation.step import Step, answer_of, text_of
from synth.engine import Context, Graph
from synth.engine.session import Session
from synth.records import Sample, Sampling, Seed

__all__ = ["follow_recipe", "tag_graph"]

STAGE = "tag"


class Tagging(TypedDict, total=False):
    """State of the graph; `output` has the tags, or why there are none."""

    seed: Seed
    output: dict[str, Any]


def tag_graph(rule: Recipe) -> Graph:
    """One node, `tag`. What the tagger does not say (a lost call, no JSON) is noted and drops nothing."""
    tagger = Agent("tag", rule.role, "tag_sample", Tags, Sampling(max_tokens=rule.max_tokens))

    async def tag(state: Tagging, runtime: Runtime[Context]) -> Tagging:
        try:
            said = await tagger(runtime.context, **state["seed"].data)
        except Dropped as error:
            return {"output": {"untagged": error.reason}}
        return {"output": said.model_dump()}

    builder = StateGraph(Tagging, context_schema=Context)
    builder.add_node("tag", tag)
    builder.add_edge(START, "tag")
    builder.add_edge("tag", END)
    return builder.compile(name="tag")


async def follow_recipe(session: Session, rule: Recipe, curated: Curated) -> None:
    """Tag what is left, and drop what the recipe does not want, if the judge may drop anything.

    Tags become verdicts either way. Raises `SynthError` where the stage cannot go on.
    """
    seeds = {sample.id: _seed(sample) for sample in curated.samples}
    once = {seed.id: seed for seed in seeds.values()}
    await session.run_stage(STAGE, tag_graph(rule), once.values(), total=len(once))
    said = {
        result.seed: Tags.model_validate(result.output)
        for result in session.results(STAGE)
        if result.output and "untagged" not in result.output
    }
    samples = [
        tagged(sample, said[seeds[sample.id].id]) if seeds[sample.id].id in said else sample
        for sample in curated.samples
    ]
    if not curated.judge.get("filters"):
        session.progress.log("the recipe drops nothing: the judge it goes by may not")
        curated.samples = samples
        return
    curated.samples = []
    sift(curated, samples, [Step("recipe", by_recipe(rule, samples, session.flow.seed))])


def _seed(sample: Sample) -> Seed:
    """What the tagger sees of a sample: of a pair the preferred answer."""
    return Seed.of(request=text_of(sample.prompt), answer=answer_of(sample))
