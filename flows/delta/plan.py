"""How Delta Learning's one stage multiplies: prompts times the roles that answer them."""

from __future__ import annotations

from synth.flows.answering import question_messages
from synth.flows.delta.params import Params
from synth.plan import AgentPlan, StagePlan, Survey, mean_prompt, token_guess

__all__ = ["plan"]

SHOWN = 50
"""Prompts whose length stands for all."""


def plan(survey: Survey) -> list[StagePlan]:
    """The stage `pair`. Examples are as long as a probe found them; at most, where there was none."""
    params, prompts = survey.params, survey.questions["prompts"]
    assert isinstance(params, Params)
    few = prompts[:: max(1, len(prompts) // SHOWN)][:SHOWN]
    messages = [question_messages(question.question, survey.flow.evaluate) for question in few]
    tokens = mean_prompt(messages)
    roles = [("chosen", params.chosen), ("rejected", params.second)]
    roles += [(f"rung-{role}", role) for role in params.ladder]
    agents = tuple(
        AgentPlan(agent, role, len(prompts), f"{len(prompts)} prompts", params.max_tokens, tokens)
        for agent, role in roles
    )
    results = survey.results.get("pair", ())
    samples = [sample for result in results for sample in result.samples]
    made = min(params.examples, len(prompts))
    if results:
        made = min(params.examples, round(len(prompts) * len(samples) / len(results)))
    sides = 1 if params.arm == "control-sft" else 2
    length = float(sides * (tokens + params.max_tokens))
    if samples:
        texts = [
            message["content"]
            for sample in samples
            for side in (sample.completion, sample.chosen, sample.rejected)
            if side is not None
            for message in (*sample.prompt, *side)
        ]
        length = token_guess(texts) / len(samples)
    kept = f"{len(samples)} of {len(results)} in the probe" if results else "not probed: at most"
    why = f"{made} examples of {len(prompts)} prompts ({kept})"
    return [StagePlan("pair", len(prompts), agents, makes=made * length, why=why)]
