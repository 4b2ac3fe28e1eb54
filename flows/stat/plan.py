"""How STAT's stages multiply: failed questions times skills times draws times solutions."""

from __future__ import annotations

from dataclasses import dataclass

from synth.engine.flow import NO_TRAINING
from synth.flows.answering import question_messages
from synth.flows.stat.params import Params
from synth.flows.stat.plan_skills import embed_stages, prompt_tokens, skill_stages, some
from synth.plan import AgentPlan, StagePlan, Survey, mean_prompt, token_guess

__all__ = ["plan"]

STEPS = 8
"""Steps of an answer that are reckoned with where a reward model is asked for each by itself."""


@dataclass(frozen=True)
class _Shares:
    """What the student's answers decide: the share it fails, and the skills named for each."""

    wrong: float
    skills: float
    found: str


def plan(survey: Survey) -> list[StagePlan]:
    """The stages of a round, by the shares a probe found; at most, where there was none.

    Rounds on `data.target` are reckoned like those on the profile set.
    """
    params = survey.params
    assert isinstance(params, Params)
    if params.arm == NO_TRAINING:
        return []
    asked, shares = len(survey.questions["profile"]), _shares(survey, params)
    failed = asked * shares.wrong
    why = f"{asked} profile questions x {shares.wrong:.0%} failed ({shares.found})"
    votes = f" x {params.label_votes} votes" if params.label_votes > 1 else ""
    labels = AgentPlan(
        "label",
        "teacher",
        failed * params.label_votes,
        why + votes,
        params.max_tokens,
        prompt_tokens(survey, "label_skills"),
    )
    profile = StagePlan("profile", asked, (*_answers(survey, params, asked), labels))
    used = min(failed, params.difficult)
    return [
        *skill_stages(survey, params),
        profile,
        *embed_stages(survey, params, used),
        *_make(survey, params, used, shares),
    ]


def _answers(survey: Survey, params: Params, asked: int) -> list[AgentPlan]:
    """The student's answers, once or several times, and the reward model's looks at them."""
    settings = survey.flow.evaluate
    prompt = mean_prompt([question_messages(q.question, settings) for q in some(survey, "profile")])
    times = params.samples if params.detect in ("consistency", "length") else 1
    why = f"{asked} profile questions" + (f" x {times} answers" if times > 1 else "")
    agents = [AgentPlan("answer", "student", asked * times, why, settings.max_tokens, prompt)]
    if params.detect == "reward":
        looks = 1 if params.reward_layout == "marked" else STEPS
        why = f"{asked} answers" + (f" x {looks} steps" if looks > 1 else "")
        agents.append(AgentPlan("score", "reward", asked * looks, why, 0, prompt + settings.max_tokens))
    return agents


def _make(survey: Survey, params: Params, failed: float, shares: _Shares) -> list[StagePlan]:
    """Targeted examples up to their share of `examples`; replay asks nobody."""
    share = params.replay_share
    most = round(params.examples * (1 - share))
    if params.by_likeness:
        drawn = failed * params.neighbours
        what = "neighbours" if params.arm == "control-embedding" else "new questions"
        why = f"{failed:.0f} failed x {params.neighbours} {what} = {drawn:.0f}"
    else:
        drawn = failed * shares.skills * params.per_pair
        why = f"{failed:.0f} failed x {shares.skills:.2g} skills x {params.per_pair} draws = {drawn:.0f}"
    targeted = min(drawn, most)
    if drawn > most:
        why += f", cut to {most}"
    made, found = _made(survey, params)
    replayed = min(len(survey.questions["pool"]), round(targeted * made * share / (1 - share)))
    examples = min(targeted * made + replayed, params.examples)
    make = StagePlan(
        "make",
        targeted,
        _writers(survey, params, targeted, why),
        makes=examples * _length(survey),
        why=f"at most {examples:.0f} examples: {targeted:.0f} targeted x {made:.2g} kept ({found}),"
        f" and {replayed} replayed",
    )
    return [make, StagePlan("replay", replayed)] if replayed else [make]


def _writers(survey: Survey, params: Params, targeted: float, why: str) -> tuple[AgentPlan, ...]:
    """The teacher's calls for the targeted examples."""

    def calls(agent: str, prompt: str, number: float, why: str) -> AgentPlan:
        return AgentPlan(agent, "teacher", number, why, params.max_tokens, prompt_tokens(survey, prompt))

    if _drawn(params):
        if not params.rewrites:
            return ()
        rewrites = f"{targeted:.0f} pool questions x {params.rewrites} rewritings"
        return (calls("rewrite", "rewrite", targeted * params.rewrites, rewrites),)
    solve = f"{targeted:.0f} new questions x {params.solutions} solutions"
    return (
        calls("propose", "propose_question", targeted, why),
        calls("solve", "solve", targeted * params.solutions, solve),
    )


def _drawn(params: Params) -> bool:
    """Whether training questions are the pool's, not new ones."""
    if params.arm in ("control-embedding", "control-pool"):
        return True
    return params.mode == "sel" and not params.by_likeness


def _shares(survey: Survey, params: Params) -> _Shares:
    results = survey.results.get("profile", ())
    catalogue = {skill for name in ("pool", "profile") for q in survey.questions[name] for skill in q.skills}
    most = min(params.most_skills, len(catalogue)) if params.catalogue == "data" else params.most_skills
    if not results:
        return _Shares(1.0, most, "not probed: at most")
    failed = [r for r in results if not r.output or r.output["difficult"]]
    named = [len(r.output["skills"]) for r in failed if r.output]
    skills = sum(named) / len(named) if named else float(most)
    return _Shares(len(failed) / len(results), skills, f"{len(failed)} of {len(results)} in the probe")


def _made(survey: Survey, params: Params) -> tuple[float, str]:
    """Samples a targeted seed comes to."""
    if _drawn(params) and not params.rewrites:
        return 1.0, "drawn from the pool"
    targeted = survey.results.get("make", ())
    if not targeted:
        return float(params.rewrites if _drawn(params) else params.solutions), "not probed: at most"
    made = sum(len(result.samples) for result in targeted)
    return made / len(targeted), f"{made} samples of {len(targeted)} in the probe"


def _length(survey: Survey) -> float:
    """Tokens of one example: of the probe's samples, else of the pool's questions and answers."""
    samples = [sample for result in survey.results.get("make", ()) for sample in result.samples]
    if samples:
        texts = [m["content"] for s in samples for m in (*s.prompt, *(s.completion or ()))]
        return token_guess(texts) / len(samples)
    pool = some(survey, "pool")
    system = survey.flow.evaluate.system or ""
    return token_guess(f"{system}{q.question}{q.solution or q.answer}" for q in pool) / max(1, len(pool))
