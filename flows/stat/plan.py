"""How STAT's stages multiply: failed questions times skills times draws times solutions."""

from __future__ import annotations

from dataclasses import dataclass

from synth.agents import load_prompt
from synth.engine import Result
from synth.flows.answering import question_messages
from synth.flows.stat.params import Params
from synth.plan import AgentPlan, StagePlan, Survey, mean_prompt, token_guess
from synth.records import Question

__all__ = ["plan"]

SHOWN = 50
"""Questions whose length stands for all of a source."""


@dataclass(frozen=True)
class _Shares:
    """What the student's answers decide: the share it fails, and the skills named for each."""

    wrong: float
    skills: float
    found: str


def plan(survey: Survey) -> list[StagePlan]:
    """The stages `profile` and `make`, by the shares a probe found; at most, where there was none."""
    params = survey.params
    assert isinstance(params, Params)
    asked, shares = len(survey.questions["profile"]), _shares(survey, params)
    failed = asked * shares.wrong
    answers = AgentPlan(
        "answer",
        "student",
        asked,
        f"{asked} profile questions",
        survey.flow.evaluate.max_tokens,
        mean_prompt([question_messages(q.question, survey.flow.evaluate) for q in _some(survey, "profile")]),
    )
    why = f"{asked} profile questions x {shares.wrong:.0%} failed ({shares.found})"
    labels = AgentPlan("label", "teacher", failed, why, params.max_tokens, _prompt(survey, "label_skills"))
    return [StagePlan("profile", asked, (answers, labels)), _make(survey, params, failed, shares)]


def _make(survey: Survey, params: Params, failed: float, shares: _Shares) -> StagePlan:
    """Targeted examples up to their share of `examples`; replay asks nobody."""
    share = params.replay_share
    most = round(params.examples * (1 - share))
    drawn = failed * shares.skills * params.draws
    targeted = min(drawn, most)
    why = f"{failed:.0f} failed x {shares.skills:.2g} skills x {params.draws} draws = {drawn:.0f}"
    if drawn > most:
        why += f", cut to {most}"
    replayed = min(len(survey.questions["pool"]), round(targeted * share / (1 - share)))
    made, found = _made(survey, params)
    examples = min(targeted * made + replayed, params.examples)
    agents: tuple[AgentPlan, ...] = ()
    if params.mode == "syn":
        solve = f"{targeted:.0f} new questions x {params.solutions} solutions"
        agents = (
            AgentPlan(
                "propose", "teacher", targeted, why, params.max_tokens, _prompt(survey, "propose_question")
            ),
            AgentPlan(
                "solve",
                "teacher",
                targeted * params.solutions,
                solve,
                params.max_tokens,
                _prompt(survey, "solve"),
            ),
        )
    return StagePlan(
        "make",
        targeted + replayed,
        agents,
        makes=examples * _length(survey),
        why=f"at most {examples:.0f} examples: {targeted:.0f} targeted x {made:.2g} kept ({found}),"
        f" and {replayed} replayed",
    )


def _shares(survey: Survey, params: Params) -> _Shares:
    results = survey.results.get("profile", ())
    catalogue = {skill for name in ("pool", "profile") for q in survey.questions[name] for skill in q.skills}
    most = min(params.most_skills, len(catalogue))
    if not results:
        return _Shares(1.0, most, "not probed: at most")
    failed = [r for r in results if not r.output or not r.output["correct"]]
    named = [len(r.output["skills"]) for r in failed if r.output]
    skills = sum(named) / len(named) if named else float(most)
    return _Shares(len(failed) / len(results), skills, f"{len(failed)} of {len(results)} in the probe")


def _made(survey: Survey, params: Params) -> tuple[float, str]:
    """Samples a targeted seed comes to."""
    if params.mode == "sel":
        return 1.0, "drawn from the pool"
    targeted = [r for r in survey.results.get("make", ()) if not _replayed(r)]
    if not targeted:
        return float(params.solutions), "not probed: at most"
    made = sum(len(result.samples) for result in targeted)
    return made / len(targeted), f"{made} samples of {len(targeted)} in the probe"


def _replayed(result: Result) -> bool:
    return any(sample.meta.get("kind") == "replay" for sample in result.samples)


def _some(survey: Survey, source: str) -> list[Question]:
    return list(survey.questions[source])[:: max(1, len(survey.questions[source]) // SHOWN)][:SHOWN]


def _prompt(survey: Survey, name: str) -> int:
    """Tokens of a prompt of the teacher, filled in with questions of the pool."""
    params, pool = survey.params, _some(survey, "pool")
    assert isinstance(params, Params)
    if not pool:
        return 0
    references = pool[: params.references]
    filled = load_prompt(name).render(
        skills=sorted({skill for question in pool for skill in question.skills}),
        skill=pool[0].skills[0] if pool[0].skills else "",
        question=pool[0].question,
        failed=pool[0].question,
        response=pool[0].answer,
        references=references,
        most=params.most_skills,
    )
    return mean_prompt([filled])


def _length(survey: Survey) -> float:
    """Tokens of one example: of the probe's samples, else of the pool's questions and answers."""
    samples = [sample for result in survey.results.get("make", ()) for sample in result.samples]
    if samples:
        texts = [m["content"] for s in samples for m in (*s.prompt, *(s.completion or ()))]
        return token_guess(texts) / len(samples)
    pool = _some(survey, "pool")
    system = survey.flow.evaluate.system or ""
    return token_guess(f"{system}{q.question}{q.solution or q.answer}" for q in pool) / max(1, len(pool))
