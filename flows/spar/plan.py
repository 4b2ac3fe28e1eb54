"""How SPaR's stages multiply, for `synth plan`."""

from __future__ import annotations

from collections.abc import Sequence

from synth.agents import load_prompt
from synth.engine import Result
from synth.flows.answering import question_messages
from synth.flows.spar.evolve import Category
from synth.flows.spar.params import Params
from synth.plan import AgentPlan, StagePlan, Survey, mean_prompt, token_guess
from synth.records import Question

__all__ = ["plan"]

SHOWN = 50
"""Prompts whose length stands for all of a source."""


def plan(survey: Survey) -> list[StagePlan]:
    """The stages `evolve` and `play`, by what a probe found; at most, where there was none."""
    params = survey.params
    assert isinstance(params, Params)
    shown = survey.questions["prompts"][:SHOWN]
    prompts = min(params.prompts, len(survey.questions["prompts"]))
    stages = [_evolve(params, prompts, shown)] if params.evolve else []
    stages.append(_play(survey, params, prompts, shown))
    if params.inference:
        items = min(params.inference, len(survey.questions["test"]))
        answers = _searched(survey, params, items, float(params.limits.most), shown)
        stages.append(StagePlan("answer", items, answers, like="play", why="the search at inference time"))
    return stages


def _evolve(params: Params, prompts: int, shown: Sequence[Question]) -> StagePlan:
    template, category = load_prompt("evolve_prompt"), Category("", "", "")
    filled = [
        template.render(prompt=q.question, category=category, more=params.more_constraints) for q in shown
    ]
    why, length = f"{prompts} prompts", mean_prompt(filled)
    agent = AgentPlan("evolve", "teacher", prompts, why, params.evolve_max_tokens, length)
    return StagePlan("evolve", prompts, (agent,))


def _play(survey: Survey, params: Params, prompts: int, shown: Sequence[Question]) -> StagePlan:
    found = [r for r in survey.results.get("play", ()) if r.output]
    trees = [r.output["tree"] for r in found if r.output["tree"]]
    failed = sum(r.output["root"] is not None for r in found) / len(found) if found else 1.0
    searches = params.arm != "control-independent"
    each = sum(t["asked"] for t in trees) / len(trees) if trees else float(params.limits.most)
    roots = prompts * failed
    refinements = roots * each if searches else 0.0
    asked = mean_prompt([question_messages(q.question, survey.flow.evaluate) for q in shown])
    responses = prompts * params.responses
    why = f"{prompts} prompts x {params.responses} responses"
    actor = AgentPlan("respond", "student", responses, why, params.max_tokens, asked)
    grown = f"{roots:.0f} failed prompts x {each:.1f} refinements"
    others = _voted(survey, params, responses, refinements, why, grown, shown)
    made = _pairs(found) if found else 1.0
    return StagePlan(
        "play",
        prompts,
        (actor, *others),
        makes=prompts * made * _length(found, params, asked),
        why=f"at most {prompts * made:.0f} pairs ({'by the probe' if found else 'not probed: at most'})",
    )


def _searched(
    survey: Survey, params: Params, items: int, each: float, shown: Sequence[Question]
) -> tuple[AgentPlan, ...]:
    refinements = items * each
    why = f"{items} held-out prompts"
    return _voted(survey, params, items, refinements, why, f"{why} x {each:.0f} refinements", shown)


def _voted(
    survey: Survey,
    params: Params,
    responses: float,
    refinements: float,
    why: str,
    grown: str,
    shown: Sequence[Question],
) -> tuple[AgentPlan, ...]:
    """Judge and refiner over so many responses and refinements."""
    judge = load_prompt("judge_response")
    length = mean_prompt([judge.render(instruction=q.question, response="") for q in shown])
    response = min(params.max_tokens, 400)
    votes = (responses + refinements) * params.votes
    voted = f"({why}, and {grown}) x {params.votes} votes"
    judged = AgentPlan("judge", params.judged_by, votes, voted, params.judge_max_tokens, length + response)
    longer = length + response + min(params.judge_max_tokens, 400)
    refined = AgentPlan("refine", "refiner", refinements, grown, params.refine_max_tokens, longer)
    return (judged, refined) if refinements else (judged,)


def _pairs(found: Sequence[Result]) -> float:
    """Pairs a prompt comes to."""
    return sum(any(s.learner == "student" for s in result.samples) for result in found) / len(found)


def _length(found: Sequence[Result], params: Params, asked: int) -> float:
    """Tokens of one pair: of the probe's, else a prompt and two answers of the greatest length."""
    pairs = [s for result in found for s in result.samples if s.learner == "student"]
    texts = [m["content"] for s in pairs for m in (*s.prompt, *(s.chosen or ()), *(s.rejected or ()))]
    return token_guess(texts) / len(pairs) if pairs else asked + 2.0 * params.max_tokens
