"""How AgentInstruct's stages multiply: passages times skills times types times tasks times answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import synth.agents
from synth.data.documents import Passage, Tally
from synth.flows.agentinstruct.params import Params
from synth.flows.agentinstruct.seeds import drawn
from synth.flows.agentinstruct.skill import Skill, load_skills
from synth.plan import AgentPlan, StagePlan, Survey

__all__ = ["plan"]

PROMPTS = Path(synth.agents.__file__).parent / "prompts" / "agentinstruct"
OWN_WORDS = 100
"""Tokens of a type's or goal's description and of a task."""


def plan(survey: Survey) -> list[StagePlan]:
    """The stages `magpie` and `make`. The documents are read, streamed, to count their passages."""
    from synth.flows.agentinstruct import passages_of

    params = survey.params
    assert isinstance(params, Params)
    skills = load_skills(params.skills, survey.path, params.types, params.transformations)
    turns = sum(source.size or 100 for source in params.seeds if source.source == "magpie")
    tally, kinds = Tally(), dict.fromkeys(("prose", "code", "prompt"), 0)

    def counted() -> Iterator[Passage]:
        yield from passages_of(params, survey.path, tally)

    for passage in drawn(counted(), params.limit, survey.flow.seed):
        kinds[passage.kind] += 1
    kinds["prompt"] += turns
    stages = [_magpie(params, turns)] if turns else []
    return [*stages, _make(survey, params, skills, kinds, tally)]


def _magpie(params: Params, turns: int) -> StagePlan:
    why = f"{turns} made-up turns"
    return StagePlan("magpie", turns, (AgentPlan("magpie", "teacher", turns, why, params.most, 8),))


def _make(
    survey: Survey, params: Params, skills: dict[str, Skill], kinds: dict[str, int], tally: Tally
) -> StagePlan:
    """At most: every agent lists all the tasks it may, and none is given up on the way."""
    seeds, uses = 0, []
    for kind, count in kinds.items():
        fit = [skill for skill in skills.values() if kind in skill.takes]
        used = min(len(fit), params.skills_per_seed or len(fit))
        seeds += count * used
        uses += [(count * used / max(1, len(fit)), skill) for skill in fit]
    types = sum(n * min(params.types_per_seed, len(skill.types)) for n, skill in uses)
    tasks = types * params.tasks
    rounds = 0 if params.arm == "control-unrefined" else params.refinements
    growth = sum(params.suggestions**turn for turn in range(1, rounds + 1))
    suggested = tasks * sum(params.suggestions**turn for turn in range(rounds))
    items = tasks * (1 + growth)
    changed = sum(n * _share(skill) for n, skill in uses)
    answers = items * params.samples if params.arm != "faithful" else items
    text = params.most
    per = f"{seeds:.0f} seeds x {params.types_per_seed} types x {params.tasks} tasks"
    rows = [
        ("transform", changed, f"{seeds:.0f} seeds, less those copied", text),
        ("instruct", types, f"{seeds:.0f} seeds x {params.types_per_seed} types", text),
        ("suggest", suggested, f"{per}, {rounds} rounds", text),
        ("edit", tasks * growth, f"{per} x {params.suggestions} suggestions, {rounds} rounds", 2 * text),
        ("respond", answers, f"{items:.0f} items x at most {params.samples} answers", text),
    ]
    agents = [
        AgentPlan(name, "teacher", n, why, params.max_tokens, _prompt(name) + size)
        for name, n, why, size in rows
    ]
    if params.discriminate:
        strong = "strong" if "strong" in survey.flow.models else "teacher"
        why = f"{items:.0f} items"
        agents.append(AgentPlan(f"solve-{strong}", strong, items, why, params.max_tokens, text))
        agents.append(
            AgentPlan("solve-student", "student", items, why, survey.flow.evaluate.max_tokens, text)
        )
    kept, length, found = _kept(survey, items / max(1, seeds), params)
    return StagePlan(
        "make",
        seeds,
        tuple(agent for agent in agents if agent.calls),
        makes=seeds * kept * length,
        why=f"{tally.documents} documents, {sum(kinds.values())} passages, {len(skills)} skills; "
        f"{seeds:.0f} seeds x {kept:.2g} samples ({found})",
    )


def _share(skill: Skill) -> float:
    """Of a skill's seeds, those that are transformed by a call."""
    return sum(part.makes != "copy" for part in skill.transformations) / len(skill.transformations)


def _kept(survey: Survey, most: float, params: Params) -> tuple[float, float, str]:
    """Samples a seed comes to, and tokens of one, at four characters a token."""
    results = survey.results.get("make", ())
    samples = [sample for result in results for sample in result.samples]
    if not samples:
        return most, float(params.most + 64), "not probed: at most"
    texts = [m["content"] for s in samples for m in (*s.prompt, *(s.completion or ()))]
    length = sum(map(len, texts)) / 4 / len(samples)
    return len(samples) / len(results), length, f"{len(samples)} of {len(results)} in the probe"


def _prompt(name: str) -> int:
    """Tokens of a prompt file with the task's own words, at four characters a token."""
    return (PROMPTS / f"{name}.md.j2").stat().st_size // 4 + OWN_WORDS
