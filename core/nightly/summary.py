"""One page about a night: what each flow came to, what it cost, who is the champion."""

from __future__ import annotations

from pathlib import Path

from synth.engine.folder import RunFolder
from synth.figures import compact, duration, level, shift
from synth.measure.gate import Decision
from synth.nightly.champion import Champion, decisions
from synth.nightly.limits import Spent, disk_used
from synth.nightly.state import Night, Played
from synth.runs.runfiles import Part

__all__ = ["PROMOTED", "Summary", "page_of", "summarize_night", "write_summary"]

PROMOTED, FAILED, NOTHING_BETTER, BUDGET = 0, 1, 3, 4
"""Exit codes."""


class RoundLine(Part):
    """One round, as its gate saw it."""

    round: int
    decision: str
    metric: str
    before: float
    after: float
    difference: float
    guards: dict[str, bool]
    """Guard's name -> whether it held."""
    guard_changes: dict[str, float]
    """Guard's name -> change of its level in this round."""


class FlowLine(Played):
    """One flow of the night, and its rounds."""

    rounds: list[RoundLine]


class Summary(Part):
    """The night; `summary.json`."""

    night: str
    exit_code: int
    outcome: str
    flows: list[FlowLine]
    champion: Champion | None
    seconds: float
    tokens: int
    money: float
    disk_bytes: int
    """What the folder of all nights holds."""
    notes: list[str]


def summarize_night(night: Night, home: Path, spent: Spent, champion: Champion | None) -> Summary:
    """What became of a night whose flows have all had their turn."""
    code, outcome = _outcome(night)
    return Summary(
        night=night.name,
        exit_code=code,
        outcome=outcome,
        flows=[
            FlowLine(
                **played.model_dump(), rounds=[_round(*one) for one in decisions(home / played.run).items()]
            )
            for played in night.flows
        ],
        champion=champion,
        seconds=spent.seconds,
        tokens=spent.tokens,
        money=spent.money,
        disk_bytes=disk_used(home),
        notes=night.notes,
    )


def write_summary(summary: Summary, home: Path) -> None:
    """`summary.json` and `summary.md`, of the night and, a level up, of the last night."""
    page = page_of(summary).encode()
    for folder in (home / summary.night, home):
        RunFolder.write_json(folder / "summary.json", summary)
        RunFolder.write(folder / "summary.md", page)


def _outcome(night: Night) -> tuple[int, str]:
    """An error is told before all else, or nobody would look; a promotion before a used-up budget."""
    states = [played.state for played in night.flows]
    ends = [played.ended for played in night.flows]
    if "error" in ends:
        return FAILED, "a flow failed" + (", another's student was promoted" if "promoted" in states else "")
    if "promoted" in states:
        return PROMOTED, "a new champion"
    if "budget" in states or "budget" in ends:
        return BUDGET, "a limit was reached, the champion stays"
    return NOTHING_BETTER, "nothing better, the champion stays"


def _round(number: int, decision: Decision) -> RoundLine:
    return RoundLine(
        round=number,
        decision=decision.decision,
        metric=decision.metric,
        before=decision.before,
        after=decision.after,
        difference=decision.difference,
        guards={guard.name: guard.holds for guard in decision.guards},
        guard_changes={guard.name: guard.difference for guard in decision.guards},
    )


def page_of(summary: Summary) -> str:
    """The page: Markdown that reads as plain text."""
    champion = summary.champion
    who = f"{champion.name} ({champion.flow}, round {champion.round})" if champion else "none yet"
    cost = f"{duration(summary.seconds)}, {compact(summary.tokens)} tokens"
    money = f", {summary.money:.2f} in money" if summary.money else ""
    lines = [
        f"# Night {summary.night}: {summary.outcome}",
        "",
        f"Champion: {who}. It took {cost}{money}; all nights hold {summary.disk_bytes / (1 << 30):.2f} GiB.",
    ]
    for flow in summary.flows:
        lines += ["", f"## {flow.flow}: {flow.state}", "", flow.reason, ""]
        lines += [f"- {_told(one)}" for one in flow.rounds]
        lines += [f"- run: `{flow.run}`, begun from {flow.start or 'its own student'}"]
        if not any(one.guards for one in flow.rounds) and flow.state == "promoted":
            lines += ["- no guard suite watches this flow; see `gate.guards`"]
    if summary.notes:
        lines += ["", "## Pruned", "", *(f"- {note}" for note in summary.notes)]
    return "\n".join(lines) + "\n"


def _told(one: RoundLine) -> str:
    words = {True: "holds", False: "does not hold"}
    guards = ", ".join(
        f"{name} {words[holds]} ({shift(one.guard_changes[name], one.metric)})"
        for name, holds in one.guards.items()
    )
    return (
        f"round {one.round}: {one.decision}; {one.metric} {level(one.before, one.metric)} before, "
        f"{level(one.after, one.metric)} after ({shift(one.difference, one.metric)})"
        + (f"; guards: {guards}" if guards else "")
    )
