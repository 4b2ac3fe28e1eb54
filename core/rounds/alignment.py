"""The student answers the prompts itself, and of several targets those most like its answers stay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from synth.agents import ask
from synth.config.selection import Alignment
from synth.curation import Curated, sift
from synth.curation.alignment import (
    Candidates,
    Similarity,
    alike_in_words,
    by_best_method,
    by_best_response,
    candidates,
    compared,
    of_methods,
    scored,
)
from synth.curation.step import Check, Step, answer_of
from synth.engine import Context, Graph
from synth.engine.session import Session
from synth.records import Sampling, Seed, content_id
from synth.rounds.meaning import embedded

__all__ = ["own_answers", "select_aligned"]

STAGE = "own-answers"


class Answering(TypedDict, total=False):
    """State of the graph; `output` has the student's `answers`, those cut off included."""

    seed: Seed
    output: dict[str, Any]


def own_answers(rule: Alignment) -> Graph:
    """One node, `answer`: what the student says to a prompt, several times over."""
    sampling = Sampling(temperature=rule.temperature, max_tokens=rule.max_tokens)

    async def answer(state: Answering, runtime: Runtime[Context]) -> Answering:
        messages = state["seed"].data["messages"]
        replies = await ask(runtime.context, rule.role, messages, sampling, agent="own", n=rule.samples)
        return {"output": {"answers": [reply.text for reply in replies]}}

    builder = StateGraph(Answering, context_schema=Context)
    builder.add_node("answer", answer)
    builder.add_edge(START, "answer")
    builder.add_edge("answer", END)
    return builder.compile(name="own-answers")


async def select_aligned(session: Session, rule: Alignment, curated: Curated) -> None:
    """Keep of several answers to a prompt the best, or what the best method made; the run says which.

    A prompt whose answers of the student were lost is not compared. Raises `SynthError` where a stage
    cannot go on.
    """
    answers, seed = candidates(curated.samples), session.flow.seed
    if rule.select == "method":
        answers = compared(rule, answers, seed)
        if not answers:
            session.progress.log(f"alignment: no prompt was answered by every {rule.by}; nothing is selected")
            return
    scores = await _scores(session, rule, answers)
    samples, curated.samples = curated.samples, []
    sift(curated, samples, [Step("alignment", _check(session, rule, scores, answers, curated))])


def _check(
    session: Session, rule: Alignment, scores: Mapping[str, float], answers: Candidates, curated: Curated
) -> Check:
    if rule.select == "response":
        return by_best_response(scores, answers)
    methods = of_methods(rule, scores, answers)
    curated.alignment = methods
    said = ", ".join(f"{name} {value:.3f}" for name, value in methods.items())
    session.progress.log(f"alignment with {rule.role} over {len(answers)} prompts: {said}")
    return by_best_method(rule, scores, methods)


async def _scores(session: Session, rule: Alignment, answers: Candidates) -> dict[str, float]:
    """Sample -> alignment, of all answers to these prompts that can be compared."""
    seeds = {key: Seed.of(messages=found[0].prompt) for key, found in answers.items()}
    once = {seed.id: seed for seed in seeds.values()}
    await session.run_stage(STAGE, own_answers(rule), once.values(), total=len(once))
    said = {result.seed: result.output["answers"] for result in session.results(STAGE) if result.output}
    own = {key: said.get(seed.id, []) for key, seed in seeds.items()}
    alike = await _similarity(session, rule, answers, own)
    found = (
        (sample.id, scored(answer_of(sample), own[key], alike))
        for key, samples in answers.items()
        for sample in samples
    )
    return {name: value for name, value in found if value is not None}


async def _similarity(
    session: Session, rule: Alignment, answers: Candidates, own: Mapping[str, list[str]]
) -> Similarity:
    if rule.embedding is None:
        return alike_in_words
    texts = [answer_of(sample) for samples in answers.values() for sample in samples]
    texts += [text for found in own.values() for text in found]
    vectors = await embedded(
        session, "embed-answers", rule.embedding, {content_id(text): text for text in texts}
    )

    def cosine(one: str, other: str) -> float | None:
        first, second = vectors.get(content_id(one)), vectors.get(content_id(other))
        return None if first is None or second is None else float(first @ second)

    return cosine
