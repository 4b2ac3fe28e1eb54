"""What a run will take: calls, tokens, time and money of every stage, before it begins.

A flow says how its stages multiply (`Flow.plan`); what one call takes is measured by a probe
of real calls, or bounded by its token limit where there was none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from synth.config import FlowFile, ModelSpec
from synth.records import Message, Question
from synth.runs.cost import Tariff
from synth.runs.runfiles import CallTotals, Part

if TYPE_CHECKING:
    from synth.engine.flow import FlowParams
    from synth.engine.runner import Result

__all__ = ["AgentPlan", "Plan", "Rates", "StagePlan", "Survey", "estimate", "mean_prompt", "token_guess"]

WIDTH = 256
"""Calls in flight that the short end of a time reckons with, where no `concurrency` is written."""


@dataclass(frozen=True)
class Survey:
    """What a flow plans from: its settings, its questions by source, and the results that a
    probe's few seeds had, by stage (nothing without a probe)."""

    flow: FlowFile
    params: FlowParams
    questions: Mapping[str, Sequence[Question]]
    results: Mapping[str, Sequence[Result]] = field(default_factory=dict)
    path: Path = Path("flow.yaml")
    """The flow file, for flows that read documents of their own."""


@dataclass(frozen=True)
class Rates:
    """What a person states of speeds: tokens a second that one server of a role generates with all its
    calls in flight (the role "" stands for all), and that training takes."""

    generated: Mapping[str, float] = field(default_factory=dict)
    trained: float | None = None

    def of(self, role: str, spec: ModelSpec) -> float | None:
        """Tokens a second of all servers of a role; None where nothing was stated."""
        servers = len(spec.addresses) if spec.remote else spec.server.replicas
        rate = self.generated.get(role) or self.generated.get("")
        return rate * max(1, servers) if rate else None


@dataclass(frozen=True)
class AgentPlan:
    """One agent's calls in a stage, `why` with the arithmetic in words. `prompt` and
    `max_tokens` are what one call may take, for where nothing was measured."""

    agent: str
    role: str
    calls: float
    why: str
    max_tokens: int
    prompt: int = 0


@dataclass(frozen=True)
class StagePlan:
    """One stage of a round. `first_only`: later rounds find its answers in the journal.
    `like` names the stage whose calls measure these; `makes` are tokens of training data made,
    `learns` tokens trained on; `why` says how they come about."""

    name: str
    seeds: float
    agents: tuple[AgentPlan, ...] = ()
    like: str = ""
    first_only: bool = False
    makes: float = 0.0
    learns: float = 0.0
    why: str = ""


class AgentEstimate(Part):
    """What one agent's calls in one stage of a round will take."""

    agent: str
    role: str
    why: str
    calls: float
    prompt_tokens: float
    completion_tokens: float
    measured: int
    """Calls the means come from; 0: token limits instead."""
    money: float | None = None


class StageEstimate(Part):
    """What a stage of one round will take."""

    name: str
    why: str = ""
    rounds: int = 1
    """Rounds in which it is paid for."""
    agents: list[AgentEstimate] = Field(default_factory=list)
    train_tokens: float = 0.0
    seconds_least: float | None = None
    """With as many calls in flight as the models are given, none slower for it."""
    seconds_most: float | None = None
    """With no more in flight than the probe had. None where no call was measured. From stated rates: if
    the roles' servers work one after another, and the short end if all work at once."""
    money: float | None = None
    """For its tokens, and for GPUs at the long end of its time."""


class Plan(Part):
    """What a whole run will take. Totals count every stage in each round that pays for it."""

    flow: str
    rounds: int
    probe: int
    """Seeds a stage that were probed."""
    currency: str
    gpus: int
    stages: list[StageEstimate]
    calls: float
    tokens: float
    train_tokens: float
    seconds_least: float | None
    seconds_most: float | None
    train_seconds: float | None = None
    """Of all trainings, at the stated rate or as fast as alike ones went here; None where none did."""
    stated: bool = False
    """Whether times follow from rates that were stated."""
    money: float | None
    hints: list[str] = Field(default_factory=list)
    """What published experience would do otherwise."""


@dataclass(frozen=True)
class _Mean:
    calls: int
    prompt: float
    completion: float
    seconds: float


def token_guess(texts: Iterable[str]) -> int:
    """Tokens of texts taken together, at four characters a token."""
    return sum(map(len, texts)) // 4


def mean_prompt(rendered: Sequence[Sequence[Message]]) -> int:
    """Tokens of a prompt on average, at four characters a token."""
    if not rendered:
        return 0
    return token_guess(message["content"] for messages in rendered for message in messages) // len(rendered)


def estimate(
    survey: Survey,
    stages: Sequence[StagePlan],
    measured: Sequence[CallTotals],
    tariff: Tariff,
    probe: int,
    pace: float | None = None,
    rates: Rates = Rates(),
) -> Plan:
    """Put numbers to a flow's plan; `measured` are the sums of calls made so far, by stage, and
    `pace` tokens a second of trainings like this one's. Stated `rates` go before what was measured."""
    flow, pace = survey.flow, rates.trained or pace
    rows = [_stage(stage, flow, measured, tariff, probe, rates) for stage in stages]
    agents = [(row.rounds, agent) for row in rows for agent in row.agents]
    learnt = sum(row.rounds * row.train_tokens for row in rows)
    return Plan(
        flow=flow.flow,
        rounds=flow.rounds,
        probe=probe,
        currency=flow.prices.currency,
        gpus=tariff.gpus,
        stages=rows,
        calls=sum(times * agent.calls for times, agent in agents),
        tokens=sum(times * (agent.prompt_tokens + agent.completion_tokens) for times, agent in agents),
        train_tokens=learnt,
        train_seconds=learnt / pace if pace else None,
        stated=bool(rates.generated or rates.trained),
        seconds_least=_sum((row.rounds, row.seconds_least) for row in rows if row.agents),
        seconds_most=_sum((row.rounds, row.seconds_most) for row in rows if row.agents),
        money=_sum((row.rounds, row.money or 0.0) for row in rows) if tariff.prices.known else None,
    )


def _stage(
    stage: StagePlan,
    flow: FlowFile,
    measured: Sequence[CallTotals],
    tariff: Tariff,
    probe: int,
    rates: Rates,
) -> StageEstimate:
    agents, least, most, known = [], 0.0, 0.0, True
    local = 0.0
    stated: dict[str, float] = {}
    for plan in stage.agents:
        mean = _mean(stage.like or stage.name, plan.agent, measured)
        spec = flow.models[plan.role]
        agents.append(_agent(plan, mean, spec.title, tariff))
        local += plan.role in tariff.local
        if spec.kind == "program" and rates.generated:
            continue
        if (rate := rates.of(plan.role, spec)) is not None:
            stated[plan.role] = stated.get(plan.role, 0.0) + agents[-1].completion_tokens / rate
            continue
        if mean is None:
            known = known and plan.calls == 0
            continue
        seconds = plan.calls * mean.seconds
        least += seconds / max(1.0, min(spec.concurrency or WIDTH, plan.calls))
        most += seconds / max(1.0, min(probe, stage.seeds))
    least, most = least + max(stated.values(), default=0.0), most + sum(stated.values())
    money = None
    if tariff.prices.known:
        gpu = tariff.of_gpus(tariff.gpus * most) if local else 0.0
        money = gpu + sum(agent.money or 0.0 for agent in agents)
    return StageEstimate(
        name=stage.name,
        why=stage.why,
        rounds=1 if stage.first_only else flow.rounds,
        agents=agents,
        train_tokens=stage.learns,
        seconds_least=least if known and agents else None,
        seconds_most=most if known and agents else None,
        money=money,
    )


def _agent(plan: AgentPlan, mean: _Mean | None, model: str, tariff: Tariff) -> AgentEstimate:
    prompt = plan.calls * (mean.prompt if mean else plan.prompt)
    completion = plan.calls * (mean.completion if mean else plan.max_tokens)
    return AgentEstimate(
        agent=plan.agent,
        role=plan.role,
        why=plan.why,
        calls=plan.calls,
        prompt_tokens=prompt,
        completion_tokens=completion,
        measured=mean.calls if mean else 0,
        money=tariff.of_tokens(plan.role, model, prompt, completion) if tariff.prices.known else None,
    )


def _mean(stage: str, agent: str, measured: Sequence[CallTotals]) -> _Mean | None:
    """The mean call of an agent in a stage of any round."""
    calls = [c for c in measured if c.agent == agent and c.stage.partition("/")[2] == stage]
    n = sum(call.calls for call in calls)
    if not n:
        return None
    return _Mean(
        n,
        sum(call.prompt_tokens for call in calls) / n,
        sum(call.completion_tokens for call in calls) / n,
        sum(call.seconds for call in calls) / n,
    )


def _sum(parts: Iterable[tuple[int, float | None]]) -> float | None:
    """Times and amounts added up; None if one of them is not known."""
    total = 0.0
    for times, amount in parts:
        if amount is None:
            return None
        total += times * amount
    return total
