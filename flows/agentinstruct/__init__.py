"""AgentInstruct (arXiv 2407.03502): raw documents and code become tasks with answers in many skills.

For each passage and skill one LangGraph graph runs three sub-graphs: content transformation,
seed-instruction generation over the skill's taxonomy, and refinement by a suggester and an
editor. Response agents answer; validators decide what is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from synth.config import Evaluate, Loaded
from synth.data.documents import Passage, Tally, passages
from synth.data.documents.read import tokenizer_count
from synth.engine import Flow
from synth.engine.folder import RunFolder
from synth.engine.session import Session
from synth.errors import Problem, SynthError
from synth.flows.agentinstruct.coverage import coverage
from synth.flows.agentinstruct.instruct import instruct_graph
from synth.flows.agentinstruct.magpie import made_up, magpie_graph
from synth.flows.agentinstruct.make import make_graph
from synth.flows.agentinstruct.params import Params
from synth.flows.agentinstruct.plan import plan
from synth.flows.agentinstruct.refine import refine_graph
from synth.flows.agentinstruct.respond import respond_graph
from synth.flows.agentinstruct.seeds import drawn, plan_seeds
from synth.flows.agentinstruct.shelf import Shelf
from synth.flows.agentinstruct.skill import Skill, load_skills
from synth.flows.agentinstruct.transform import transform_graph
from synth.flows.controls import swap_answers
from synth.records import Sample

__all__ = ["Params", "build", "passages_of"]


def build() -> Flow:
    """The flow `agentinstruct`: roles `student` and `teacher` (and `strong`, to discriminate), data
    `test`; raw documents are named under `with.seeds`."""
    return Flow(
        name="agentinstruct",
        params=Params,
        generate=generate,
        roles=("student", "teacher"),
        sources=("test",),
        graphs=_graphs,
        plan=plan,
        check=_check,
        makes=lambda params: {"student": "answers"},
        citation="AgentInstruct: Toward Generative Teaching with Agentic Flows, arXiv 2407.03502",
    )


async def generate(session: Session) -> Iterable[Sample]:
    """One round: read, transform, ask, refine, answer, check. Samples come in seed order."""
    params = session.params
    assert isinstance(params, Params)
    skills = load_skills(params.skills, session.path, params.types, params.transformations)
    turns = await made_up(session, params)
    folder = session.folder.round(session.round)
    shelf = Shelf.of(passages_of(params, session.path, Tally())) if _needs_shelf(skills) else Shelf([])
    tally = Tally()

    def stream() -> Iterator[Passage]:
        yield from passages_of(params, session.path, tally)
        yield from turns

    seeds = plan_seeds(drawn(stream(), params.limit, session.flow.seed), skills, params, session.flow.seed)
    await session.run_stage(
        "make", make_graph(params, skills, session.flow.evaluate), seeds, extras={"shelf": shelf}
    )
    if tally.documents:
        RunFolder.write_json(folder / "seeds.json", tally.info())
    RunFolder.write_json(folder / "coverage.json", coverage(session.results("make"), skills))
    samples = session.samples("make")
    if params.arm == "control-format":
        return swap_answers(samples, session.flow.seed, lambda sample: sample.skills)
    return samples


def passages_of(params: Params, flow_file: Path, tally: Tally) -> Iterator[Passage]:
    """The passages of all document sources, streamed."""
    return passages(
        params.seeds,
        flow_file,
        tally=tally,
        count=tokenizer_count(params.tokenizer, flow_file) if params.tokenizer else None,
        least=params.least,
        most=params.most,
        near=params.near_duplicates,
        licences=params.licences,
    )


def _check(loaded: Loaded) -> list[Problem]:
    """Skills that are no skills, and parts that they do not have."""
    params = loaded.params
    assert isinstance(params, Params)
    try:
        load_skills(params.skills, loaded.path, params.types, params.transformations)
    except SynthError as error:
        return [loaded.problem("with.skills", error.what, error.cure)]
    return []


def _needs_shelf(skills: dict[str, Skill]) -> bool:
    """Only retrieval looks for similar passages; the others are spared a second reading."""
    return any(
        part.form == "cited" or change.grow == "retrieve"
        for skill in skills.values()
        for part in skill.types
        for change in skill.transformations
    )


def _graphs() -> dict[str, Any]:
    params = Params()
    skills = load_skills((), Path())
    return {
        "make": make_graph(params, skills, Evaluate()),
        "transform": transform_graph(params, skills),
        "instruct": instruct_graph(params, skills),
        "refine": refine_graph(params, skills),
        "respond": respond_graph(params, skills, Evaluate()),
        "magpie": magpie_graph(params),
    }
