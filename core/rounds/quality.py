"""A judge looks at the samples, after it was held against a gold set; one that fails there drops nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import BaseModel, Field

from synth.agents import Agent
from synth.chat import Dropped
from synth.config import locate
from synth.config.curation import JudgeRules
from synth.curation import Curated, sift
from synth.curation.calibration import Calibration, Gold, calibrated, gold_pairs, read_gold
from synth.curation.step import Fault, Step, answer_of, text_of
from synth.engine import Context, Graph
from synth.engine.session import Session
from synth.records import Sample, Sampling, Seed, Verdict

__all__ = ["gold_of", "judge_samples"]

JUDGE = "judge"
CALIBRATE = "calibrate-judge"
TAGS = {"task", "difficulty", "quality"}


class Scored(BaseModel):
    """A single answer, judged; the reason comes first and shapes the rest."""

    reason: str = ""
    score: int = Field(ge=1, le=5)
    task: Literal["maths", "code", "reasoning", "facts", "writing", "editing", "dialogue", "other"] = "other"
    difficulty: Literal["easy", "medium", "hard"] = "medium"


class Compared(BaseModel):
    """Two answers, compared."""

    reason: str = ""
    better: Literal["first", "second", "tie"]


class Look(TypedDict, total=False):
    """State of the graph: a request with one answer, or with a better and a worse one."""

    seed: Seed
    output: dict[str, Any]


async def judge_samples(session: Session, rules: JudgeRules, curated: Curated) -> None:
    """Calibrate the judge, let it look at what is left, and drop what it may drop. All it says is kept as
    verdicts. Raises `DataError` for a faulty gold set, `SynthError` where a stage cannot go on."""
    graph = judge_graph(rules)
    found = await _calibrate(session, rules, graph)
    curated.judge = found.model_dump()
    session.progress.log(f"the judge {found.verdict}")
    tagging = bool(TAGS & session.flow.curate.named_tags)
    wanted = [
        sample
        for sample in curated.samples
        if (found.filters or tagging if sample.chosen is None else found.filters_pairs)
    ]
    if not wanted:
        return
    seeds = list({seed.id: seed for seed in map(_seed, wanted)}.values())
    await session.run_stage(JUDGE, graph, seeds, total=len(seeds))
    said = {result.seed: result.output for result in session.results(JUDGE)}
    samples, curated.samples = curated.samples, []

    def judged(sample: Sample) -> Sample | Fault:
        return _judged(sample, said.get(_seed(sample).id, {}), rules, found)

    sift(curated, samples, [Step("judge", judged)])


def judge_graph(rules: JudgeRules) -> Graph:
    """One node, `judge`. What the judge does not say (a lost call, no JSON) is noted and drops nothing."""
    sampling = Sampling(max_tokens=rules.max_tokens)
    scorer = Agent("score", rules.role, "score_sample", Scored, sampling)
    comparer = Agent("compare", rules.role, "compare_answers", Compared, sampling)

    async def judge(state: Look, runtime: Runtime[Context]) -> Look:
        data, context = state["seed"].data, runtime.context
        try:
            if "answer" in data:
                scored = await scorer(context, request=data["request"], answer=data["answer"])
                return {"output": scored.model_dump()}
            orders = (("better", "worse"), ("worse", "better"))
            choices = []
            for sides in orders:
                first, second = (data[side] for side in sides)
                said = await comparer(context, request=data["request"], first=first, second=second)
                choices.append({"first": sides[0], "second": sides[1], "tie": "tie"}[said.better])
            return {"output": {"choices": choices}}
        except Dropped as error:
            return {"output": {"unjudged": error.reason}}

    builder = StateGraph(Look, context_schema=Context)
    builder.add_node("judge", judge)
    builder.add_edge(START, "judge")
    builder.add_edge("judge", END)
    return builder.compile(name="judge")


def gold_of(session: Session, rules: JudgeRules) -> list[Gold]:
    """The gold set that the rules name. Raises `DataError`."""
    return read_gold(locate(rules.gold, session.path) or Path(rules.gold))


async def _calibrate(session: Session, rules: JudgeRules, graph: Graph) -> Calibration:
    golds = gold_of(session, rules)
    pairs = gold_pairs(golds)
    singles = [Seed.of(request=gold.prompt, answer=gold.answer) for gold in golds]
    both = [Seed.of(request=good.prompt, better=good.answer, worse=poor.answer) for good, poor in pairs]
    seeds = list({seed.id: seed for seed in (*singles, *both)}.values())
    await session.run_stage(CALIBRATE, graph, seeds, total=len(seeds))
    said = {result.seed: result.output for result in session.results(CALIBRATE)}
    return calibrated(
        rules, session.models[rules.role].model, list(_scores(golds, singles, said)), _choices(both, said)
    )


def _scores(
    golds: Sequence[Gold], seeds: Sequence[Seed], said: dict[str, dict[str, Any]]
) -> Iterable[tuple[Gold, int]]:
    for gold, seed in zip(golds, seeds, strict=True):
        if "score" in (output := said.get(seed.id, {})):
            yield gold, int(output["score"])


def _choices(seeds: Sequence[Seed], said: dict[str, dict[str, Any]]) -> list[tuple[str, str]]:
    found = (said.get(seed.id, {}).get("choices") for seed in seeds)
    return [(first, second) for first, second in filter(None, found)]


def _seed(sample: Sample) -> Seed:
    """What the judge sees of a sample."""
    request = text_of(sample.prompt)
    if sample.chosen is None:
        return Seed.of(request=request, answer=answer_of(sample))
    return Seed.of(request=request, better=text_of(sample.chosen), worse=text_of(sample.rejected))


def _judged(sample: Sample, said: dict[str, Any], rules: JudgeRules, found: Calibration) -> Sample | Fault:
    """The sample with the judge's verdicts, or why it is dropped. A pair goes where the judge prefers its
    rejected answer in both orders."""
    if "choices" in said:
        if set(said["choices"]) == {"worse"}:
            return Fault("judge-disagrees", "the judge prefers the rejected answer, in either order")
        return sample
    if "score" not in said:
        return sample
    score = int(said["score"])
    if found.filters and score < rules.min_score:
        return Fault("poor", f"{score} of 5, at least {rules.min_score} wanted: {said['reason']}")
    values = {"quality": float(score), "task": said["task"], "difficulty": said["difficulty"]}
    verdicts = tuple(Verdict(by=JUDGE, name=name, value=value) for name, value in values.items())
    return sample.model_copy(update={"verdicts": (*sample.verdicts, *verdicts)})
