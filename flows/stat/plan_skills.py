"""What STAT's stages before and beside the profile take: catalogue, skill map, neighbours."""

from __future__ import annotations

from collections.abc import Mapping

from synth.agents import load_prompt
from synth.flows.stat.params import Params
from synth.plan import AgentPlan, StagePlan, Survey, mean_prompt, token_guess
from synth.records import Question

__all__ = ["embed_stages", "prompt_tokens", "skill_stages", "some"]

SHOWN = 50
"""Questions whose length stands for all of a source."""


def some(survey: Survey, source: str) -> list[Question]:
    """Questions of a source, evenly spread."""
    return list(survey.questions[source])[:: max(1, len(survey.questions[source]) // SHOWN)][:SHOWN]


def prompt_tokens(survey: Survey, name: str) -> int:
    """Tokens of a prompt of the teacher, filled in with questions of the pool."""
    params, pool = survey.params, some(survey, "pool")
    assert isinstance(params, Params)
    if not pool:
        return 0
    skills = sorted({skill for question in pool for skill in question.skills})
    values: Mapping[str, object] = {
        "skills": skills,
        "skill": skills[0] if skills else "",
        "subject": pool[0].family,
        "names": [("a skill in words", 1)] * params.catalogue_size,
        "question": pool[0].question,
        "failed": pool[0].question,
        "response": pool[0].answer,
        "solution": pool[0].solution or pool[0].answer,
        "references": pool[: params.references],
        "most": params.most_skills,
    }
    return mean_prompt([load_prompt(name).render(**values)])


def skill_stages(survey: Survey, params: Params) -> list[StagePlan]:
    """Making the catalogue, and mapping questions onto it. Later rounds find both in the journal."""
    stages = []
    pool, asked = survey.questions["pool"], survey.questions["profile"]
    if params.catalogue == "teacher":
        sample = min(params.catalogue_sample, len(pool))
        subjects = len({question.family for question in pool})
        stages = [
            _stage(survey, "name", "name_skills", sample, f"{sample} pool questions"),
            _stage(survey, "merge", "merge_skills", subjects, f"{subjects} subjects"),
        ]
    own = params.catalogue == "data"
    unmapped = sum(not (own and question.skills) for question in (*pool, *asked))
    if unmapped:
        why = f"{unmapped} questions without a skill" if own else f"at most {unmapped} questions"
        stages.append(_stage(survey, "map", "map_skills", unmapped, why))
    return stages


def embed_stages(survey: Survey, params: Params, failed: float) -> list[StagePlan]:
    """Embedding the pool and the failed questions, where a model does that."""
    if not params.by_likeness or "embedder" not in survey.flow.models:
        return []
    pool = some(survey, "pool")
    length = token_guess(question.question for question in pool) // max(1, len(pool))
    seeds = len(survey.questions["pool"]) + failed
    why = f"{len(survey.questions['pool'])} pool questions and {failed:.0f} failed ones"
    return [StagePlan("embed", seeds, (AgentPlan("embed", "embedder", seeds, why, 0, length),))]


def _stage(survey: Survey, name: str, prompt: str, seeds: int, why: str) -> StagePlan:
    params = survey.params
    assert isinstance(params, Params)
    agent = AgentPlan(name, "teacher", seeds, why, params.max_tokens, prompt_tokens(survey, prompt))
    return StagePlan(name, seeds, (agent,), first_only=True)
