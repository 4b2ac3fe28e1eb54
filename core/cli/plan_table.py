"""A plan on the terminal: one row for every agent of every stage, with its arithmetic in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.table import Column, Table
from rich.text import Text

from synth.cli.tables import lined
from synth.figures import compact, count, duration, money

if TYPE_CHECKING:
    from synth.plan import Plan, StageEstimate

__all__ = ["plan_tables"]

STATED = (
    " Time: at the stated rates, from all roles' servers busy at once to one after the other; without "
    "starting servers."
)


def plan_tables(plan: Plan) -> Iterator[Table | Text]:
    """The stages of a round, the sum over all rounds, and how far it can be trusted."""
    numbers = [Column(name, justify="right", no_wrap=True) for name in ("calls", "asked", "answered", "time")]
    if plan.money is not None:
        numbers.append(Column("money", justify="right", no_wrap=True))
    title = f"{plan.flow}: one round of {plan.rounds}" if plan.rounds > 1 else plan.flow
    table = lined("stage", "agent", *numbers, title=title)
    for stage in plan.stages:
        for row in _rows(stage, plan):
            table.add_row(*row)
    yield table
    for stage in plan.stages:
        yield Text("\n".join(_reasons(stage)))
    yield Text(_total(plan))
    yield Text(_trust(plan))
    for hint in plan.hints:
        yield Text(f"hint: {hint}")


def _rows(stage: StageEstimate, plan: Plan) -> Iterator[list[str]]:
    """A row for every agent; a stage's time and money stand with its first."""
    for index, agent in enumerate(stage.agents):
        first = index == 0
        figures = [count(agent.calls), compact(agent.prompt_tokens), compact(agent.completion_tokens)]
        figures.append(_time(stage.seconds_least, stage.seconds_most) if first else "")
        if plan.money is not None:
            figures.append(money(stage.money or 0.0, plan.currency) if first else "")
        yield [stage.name if first else "", agent.agent, *figures]


def _reasons(stage: StageEstimate) -> Iterator[str]:
    """How a stage's numbers come about, a line each."""
    for agent in stage.agents:
        yield f"{stage.name}, {agent.agent}: {count(agent.calls)} calls = {agent.why}"
    if stage.why:
        yield f"{stage.name}: {stage.why}"


def _total(plan: Plan) -> str:
    rounds = f"{plan.rounds} rounds" if plan.rounds > 1 else "the run"
    parts = [f"{count(plan.calls)} calls", f"{compact(plan.tokens)} tokens"]
    if plan.seconds_most is not None:
        parts.append(f"{_time(plan.seconds_least, plan.seconds_most)} of calls")
    if plan.money is not None:
        parts.append(money(plan.money, plan.currency))
    trained = f"{compact(plan.train_tokens)} tokens of training, {_trained(plan)}"
    return f"{rounds}: {', '.join(parts)}; then {trained}"


def _trained(plan: Plan) -> str:
    if plan.train_seconds is None:
        return "for how long is not known: no training with these settings is among the runs here"
    if plan.stated:
        return duration(plan.train_seconds)
    return f"{duration(plan.train_seconds)} at the pace of those with these settings among the runs here"


def _trust(plan: Plan) -> str:
    if not plan.probe:
        asked = (
            "Nobody was asked: every answer is reckoned at its token limit, every prompt at four characters "
            "a token, and the student as failing everything. These are upper bounds; --probe 8 measures."
        )
        return asked + STATED if plan.stated else asked
    gpus = f" GPUs: {plan.gpus}, paid for at the long end." if plan.gpus else ""
    agents = [agent for stage in plan.stages for agent in stage.agents]
    unmeasured = dict.fromkeys(agent.agent for agent in agents if agent.calls and not agent.measured)
    bound = (
        f" Not answered in the probe, so at their token limits: {', '.join(unmeasured)}."
        if unmeasured
        else ""
    )
    return (
        f"Measured on {plan.probe} seeds a stage. Time: from as many calls in flight as the models are given "
        f"to no more than the probe had; without starting servers, and without training.{gpus}{bound}"
    )


def _time(least: float | None, most: float | None) -> str:
    if least is None or most is None:
        return ""
    short, long = duration(least), duration(most)
    return long if short == long else f"{short} to {long}"
