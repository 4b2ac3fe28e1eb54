"""How DRIFT's stages multiply: prompts or conversations, those that displeased, replies for each."""

from __future__ import annotations

from dataclasses import dataclass

from synth.engine.flow import NO_TRAINING
from synth.flows.answering import question_messages
from synth.flows.drift.params import Params
from synth.plan import AgentPlan, StagePlan, Survey, mean_prompt

__all__ = ["plan"]

COMPLAINT = 60
"""Tokens a complaint adds to a prompt, roughly."""


@dataclass(frozen=True)
class _Shares:
    """Signals of a seed, and which part of them displeased and was repaired; `found` says from what."""

    displeased: float
    repaired: float
    found: str


def plan(survey: Survey) -> list[StagePlan]:
    """The stages `signals` and `pairs`, by the shares a probe found; at most, where there was none."""
    params = survey.params
    assert isinstance(params, Params)
    if params.arm == NO_TRAINING:
        return []
    source = "pool" if params.detect == "simulator" else "conversations"
    seeds, shares = len(survey.questions[source]), _shares(survey)
    stages = [_pairs(survey, params, seeds, shares, source)]
    if params.detect == "tags":
        return stages
    first = _simulate(survey, params, seeds, shares) if source == "pool" else _rate(params, seeds)
    return [first, *stages]


def _simulate(survey: Survey, params: Params, seeds: int, shares: _Shares) -> StagePlan:
    settings = survey.flow.evaluate
    prompt = mean_prompt([question_messages(q.question, settings) for q in survey.questions["pool"]])
    missed = seeds * shares.displeased
    why = f"{seeds} prompts x {shares.displeased:.0%} missed ({shares.found})"
    longer = prompt + params.max_tokens + COMPLAINT
    agents = (
        AgentPlan("reply", "student", seeds, f"{seeds} prompts", params.max_tokens, prompt),
        AgentPlan("complain", "user", missed, why, COMPLAINT, longer),
        AgentPlan("revise", "student", missed, why, params.max_tokens, longer),
    )
    return StagePlan("signals", seeds, agents, first_only=True)


def _rate(params: Params, seeds: int) -> StagePlan:
    agent = AgentPlan(
        "rate", "annotator", seeds, f"{seeds} conversations", params.rubric_tokens, params.rubric_prompt
    )
    return StagePlan("signals", seeds, (agent,), first_only=True)


def _pairs(survey: Survey, params: Params, seeds: int, shares: _Shares, source: str) -> StagePlan:
    """Calls and tokens of a round on average: a warm start asks nobody and has repairs alone."""
    rounds = survey.flow.rounds
    iterations = (rounds - 1) / rounds if params.repairs_first else 1.0
    records, repairs = seeds * shares.displeased, seeds * shares.repaired
    each, least = _draws(params)
    calls = records * each * iterations
    most = f"{each} replies" if least == each else f"up to {each} replies"
    why = f"{records:.0f} records ({shares.found}) x {most} x {iterations:.2g} of the rounds"
    prompt = mean_prompt(
        [question_messages(q.question, survey.flow.evaluate) for q in survey.questions[source]]
    )
    longer = min(params.max_prompt, prompt + params.max_tokens + COMPLAINT)
    made = records * iterations + repairs * (1 - iterations)
    return StagePlan(
        "pairs",
        records,
        (AgentPlan("reply", "student", calls, why, params.max_tokens, longer),),
        makes=made * (prompt + 2 * params.max_tokens),
        why=f"at most {made:.0f} pairs a round of a prompt and two replies",
    )


def _draws(params: Params) -> tuple[int, int]:
    """Replies asked for a record, at most and at least."""
    if params.arm in ("faithful", "control-spin"):
        return 1, 1
    return (2, 2) if params.arm == "control-iterdpo" else (params.samples, 1)


def _shares(survey: Survey) -> _Shares:
    results = survey.results.get("signals", ())
    signals = [signal for result in results for signal in result.output.get("signals", ())]
    if not results:
        return _Shares(1.0, 1.0, "not probed: at most")
    displeased = sum(not signal["satisfied"] for signal in signals)
    repaired = sum(bool(signal["repair"]) for signal in signals)
    found = f"{displeased} in {len(results)} probed"
    return _Shares(displeased / len(results), repaired / len(results), found)
