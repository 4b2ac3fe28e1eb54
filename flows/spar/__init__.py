"""SPaR, self-play with tree-search refinement (arXiv 2412.11605).

An actor answers prompts that carry constraints; a judge finds the answers that miss one; a
refiner mends one of them in a tree search until the judge is content. The mended answer over
the one it came from is a pair that differs in little else, and the actor learns from it by
DPO. The refiner learns from its own successes and from contested judgements. Both go round
again. Graphs: *evolve* (constraints woven into prompts), *play* (from a prompt to a pair) and
*answer* (the search at inference time).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from synth.config import Evaluate, Loaded
from synth.engine import Flow
from synth.engine.folder import RunFolder
from synth.engine.session import Session
from synth.errors import Problem
from synth.flows.answering import question_seeds
from synth.flows.spar.answer import answer_graph
from synth.flows.spar.evolve import evolve_graph, read_taxonomy
from synth.flows.spar.marks import MARKS
from synth.flows.spar.measures import Inference, measure
from synth.flows.spar.params import Params
from synth.flows.spar.plan import plan
from synth.flows.spar.play import play_graph
from synth.flows.spar.refiner_data import candidate, chosen_ids
from synth.records import Question, Sample

__all__ = ["Params", "build"]


def build() -> Flow:
    """The flow `spar`: roles `student` (the actor) and `refiner`, which also judges unless another
    role does; `teacher` where prompts are evolved. Data `prompts` and `test`."""
    return Flow(
        name="spar",
        params=Params,
        generate=generate,
        roles=("student", "refiner"),
        sources=("prompts", "test"),
        graphs=_graphs,
        plan=plan,
        delimiters=(*MARKS, "Final Judgement"),
        check=_check,
        makes=lambda params: {"student": "pairs", "refiner": "answers"},
        citation="SPaR: Self-Play with Tree-Search Refinement, arXiv 2412.11605",
    )


async def generate(session: Session) -> Iterable[Sample]:
    """One round: pairs for the student and, where it learns, samples for the refiner, in seed order."""
    params = session.params
    assert isinstance(params, Params)
    settings = session.flow.evaluate
    prompts = await _prompts(session, params)
    await session.run_stage("play", play_graph(params, settings), question_seeds(prompts), total=len(prompts))
    inference = await _inference(session, params)

    measures = measure(session.round, params.arm, session.results("play"))
    ids, counts = _lessons(session, params)
    measures.refiner_kept, measures.inference = dict(counts), inference
    folder = session.folder.round(session.round)
    RunFolder.write_json(folder / "spar.json", measures)
    RunFolder.write_lines(folder / "data" / "trees.jsonl", _trees(session))
    return (sample for sample in session.samples("play") if sample.learner == "student" or sample.id in ids)


async def _prompts(session: Session, params: Params) -> list[Question]:
    """This round's share of the prompts, evolved where the flow says so."""
    chosen = round_prompts(session.questions("prompts"), params.prompts, session.round, session.flow.seed)
    if not params.evolve:
        return chosen
    path = session.path.parent / params.taxonomy if params.taxonomy else None
    graph = evolve_graph(params, read_taxonomy(path))
    results = await session.stage("evolve", graph, question_seeds(chosen), total=len(chosen))
    return [Question.model_validate(result.output) for result in results if result.output]


def round_prompts(pool: list[Question], count: int, round_number: int, seed: int) -> list[Question]:
    """`count` prompts in an order drawn once for the run: a round goes on where the last one ended."""
    order = list(pool)
    random.Random(f"{seed}/spar/prompts").shuffle(order)
    count = min(count, len(order))
    first = (round_number - 1) * count
    return [order[i % len(order)] for i in range(first, first + count)]


async def _inference(session: Session, params: Params) -> Inference | None:
    """The student this round begins with, on held-out prompts, with the search and without."""
    if not params.inference:
        return None
    asked = session.questions("test")[: params.inference]
    graph = answer_graph(params, session.flow.evaluate)
    results = await session.stage("answer", graph, question_seeds(asked), total=len(asked))
    found = [result.output for result in results if result.output]
    if not found:
        return None
    plain, searched = (sum(one[name] for one in found) / len(found) for name in ("plain", "searched"))
    return Inference(items=len(found), plain=plain, searched=searched)


def _lessons(session: Session, params: Params) -> tuple[set[str], Counter[str]]:
    """Ids of the refiner's samples within the caps, and their counts; none if nobody trains it."""
    if "refiner" not in session.flow.learners:
        return set(), Counter()
    candidates = [candidate(s) for s in session.samples("play") if s.learner == "refiner"]
    rng = random.Random(f"{session.flow.seed}/spar/{session.round}/caps")
    return chosen_ids(candidates, params.caps, rng)


def _trees(session: Session) -> Iterator[dict[str, Any]]:
    """All trees of the round, each with the id of the pair that came of it, if one did."""
    for result in session.results("play"):
        if result.output and result.output["tree"]:
            pairs = [sample.id for sample in result.samples if sample.learner == "student"]
            told = {"sample": pairs[0] if pairs else None, "seed": result.seed}
            yield told | {"instruction": result.output["instruction"]} | result.output["tree"]


def _check(loaded: Loaded) -> list[Problem]:
    """Roles that are needed only with some settings, and the user's own taxonomy."""
    params = loaded.params
    assert isinstance(params, Params)
    problems = []
    if params.judged_by not in loaded.flow.models:
        message = f"there is no role {params.judged_by!r} in models"
        problems.append(loaded.problem("with.judged_by", message, "add it, or write judged_by: refiner"))
    if params.evolve and "teacher" not in loaded.flow.models:
        message = "evolving prompts needs the role teacher, and models has none"
        problems.append(loaded.problem("with.evolve", message, "add models.teacher, or write evolve: false"))
    if params.evolve and params.taxonomy and not (loaded.path.parent / params.taxonomy).is_file():
        message = f"there is no file {params.taxonomy}"
        problems.append(loaded.problem("with.taxonomy", message, "name a YAML file beside the flow file"))
    return problems


def _graphs() -> dict[str, Any]:
    params, settings = Params(), Evaluate()
    return {
        "evolve": evolve_graph(params, read_taxonomy()),
        "play": play_graph(params, settings),
        "answer": answer_graph(params, settings),
    }
