"""Tables for the terminal, made of what `--json` prints whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE, SIMPLE_HEAD
from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

from synth.figures import compact, count, duration, level, money, percent, probability

if TYPE_CHECKING:
    from synth.measure.collapse import Collapse
    from synth.measure.gate import Decision
    from synth.rounds.curriculum import Mix
    from synth.runs.cost import Amount, Ledger
    from synth.runs.overview import Pairs, RoundSummary, RunSummary, StageSummary
    from synth.teachers.models import ModelInfo

__all__ = ["lined", "models_table", "status_tables"]


STATES = {"running": "bold", "finished": "green", "failed": "bold red", "stopped": "yellow"}


def status_tables(summary: RunSummary) -> Iterator[Table | Text]:
    """A headline; for each round what came of it, then its stages and drops; and what it all cost."""
    state = (summary.state, STATES[summary.state])
    yield Text.assemble(
        (summary.name, "bold"), "  ", state, f"  flow {summary.flow}, arm {summary.arm or 'none'}"
    )
    tokens = compact(summary.prompt_tokens + summary.completion_tokens)
    champion = "" if summary.generate_only else f"; champion: {summary.champion}"
    yield Text(f"{count(summary.calls)} calls, {tokens} tokens{champion}", "dim")
    for round_ in summary.rounds:
        yield Text(f"\nround {round_.number}", "bold")
        if round_.decision is not None:
            promoted = round_.decision.decision == "promote"
            yield Text(round_.decision.reason, "green" if promoted else "yellow")
            yield from map(Text, _watches(round_.decision))
            yield _families(round_.decision)
        yield _stages(round_)
        if round_.drops:
            drops = ", ".join(f"{drop.stage} {drop.reason} {count(drop.count)}" for drop in round_.drops)
            yield Text(f"dropped: {drops}")
        if round_.pairs is not None:
            yield Text(_pairs(round_.pairs))
        if round_.collapse is not None:
            yield Text(_collapse(round_.collapse))
        if round_.mix is not None:
            yield Text(_mix(round_.mix))
    if summary.forecast is not None:
        yield Text(summary.forecast.said)
    if summary.cost.rows:
        yield Text("\ncost", "bold")
        yield _cost(summary.cost)
        yield Text(_per_sample(summary.cost))
    for warning in summary.warnings:
        yield Text(f"warning: {warning}")


def _pairs(pairs: Pairs) -> str:
    """What the lint found, in words."""
    found = ", ".join(f"{fault} {count(number)}" for fault, number in pairs.found.items()) or "no fault"
    return (
        f"pairs: {count(pairs.pairs)}; edit distance {pairs.edit_distance:.2f}, "
        f"length ratio {pairs.length_ratio:.2f}; {found}"
    )


def _collapse(found: Collapse) -> str:
    """How varied the data are, in words."""
    inflation = "".join(f"; {name} {rise:+.2g}" for name, rise in found.inflation.items())
    return (
        f"variety: distinct {found.distinct:.3g}, Vendi {found.vendi:.3g}, "
        f"answers of {found.length:.3g} words ({found.length_drift:+.0%}), similar {percent(found.similar)}, "
        f"of earlier rounds {percent(found.repeated)}{inflation}"
    )


def _mix(found: Mix) -> str:
    """What the curriculum drew, the most first, in words."""
    order = sorted(found.sources, key=lambda one: -one.drawn)
    return "curriculum: " + ", ".join(f"{one.source} {count(one.drawn)}" for one in order)


def _watches(decision: Decision) -> Iterator[str]:
    """The guards and the noise floor, in words."""
    for guard in decision.guards:
        yield (
            f"guard {guard.name}: {'holds' if guard.holds else 'does not hold'}; "
            f"{level(guard.before, guard.metric)} before, {level(guard.after, guard.metric)} after, "
            f"margin {guard.margin:g}, p {probability(guard.p_fall)}"
        )
    if decision.noise is not None:
        noise = decision.noise
        yield f"noise: {percent(noise.share)} of {count(noise.n)} answers turn without training"


def lined(*headings: str | Column, title: str | None = None) -> Table:
    """A table with one line, under its headings."""
    look: Any = {"box": SIMPLE_HEAD, "header_style": "dim", "pad_edge": False}
    return Table(*headings, title=title, title_style="bold", title_justify="left", **look)


def _kept(stage: StageSummary) -> tuple[int | None, int | None]:
    """Kept and dropped, of a stage that makes samples or drops records."""
    return (stage.kept, stage.rejected) if stage.kept or stage.rejected else (None, None)


def _stages(round_: RoundSummary) -> Table:
    table = lined("stage", "state")
    for heading in ("items", "kept", "dropped", "calls", "tokens", "time"):
        table.add_column(heading, justify="right")
    for stage in round_.stages:
        tokens = stage.prompt_tokens + stage.completion_tokens
        table.add_row(
            stage.name,
            stage.status,
            *("" if figure is None else count(figure) for figure in (stage.items, *_kept(stage))),
            count(stage.calls) if stage.calls else "",
            compact(tokens) if tokens else "",
            duration(stage.seconds) if stage.seconds is not None else "",
        )
    return table


def _cost(bill: Ledger) -> Table:
    """A row for every round, stage and agent; money and GPU time only where there are any."""
    table = lined("round", "stage", "agent")
    paid, gpus = bill.total.money is not None, bill.total.gpu_seconds > 0
    headings = ["calls", "asked", "answered", *(["GPU time"] if gpus else []), *(["money"] if paid else [])]
    for heading in headings:
        table.add_column(heading, justify="right")

    def figures(amount: Amount) -> list[str]:
        tokens = (amount.prompt_tokens, amount.completion_tokens) if amount.tokens else ()
        said = [count(amount.calls), *map(compact, tokens)] if tokens else [count(amount.calls), "", ""]
        said += [duration(amount.gpu_seconds)] if gpus else []
        return said + ([money(amount.money or 0.0, bill.currency)] if paid else [])

    for row in bill.rows:
        table.add_row(str(row.round), row.stage, row.agent or "(no call)", *figures(row))
    table.add_section()
    table.add_row("", "all", "", *figures(bill.total))
    return table


def _per_sample(bill: Ledger) -> str:
    """What one kept sample cost, in words."""
    if bill.tokens_per_sample is None:
        return "no sample kept yet"
    paid = f" and {money(bill.money_per_sample, bill.currency)}" if bill.money_per_sample is not None else ""
    return f"{count(bill.kept)} samples kept, each for {compact(bill.tokens_per_sample)} tokens{paid}"


def _families(decision: Decision) -> Table:
    table = lined("family")
    for heading in ("items", "before", "after", "gained", "lost", "p"):
        table.add_column(heading, justify="right")
    for family in decision.families:
        table.add_row(
            escape(family.family),
            count(family.n),
            level(family.before, family.metric, 0),
            level(family.after, family.metric, 0),
            count(family.gained),
            count(family.lost),
            f"{family.p_value:.2g}",
        )
    return table


def models_table(models: list[ModelInfo]) -> Table:
    """Name, id, licence, size, and where it is or would come from."""
    columns = [Column(heading, no_wrap=True) for heading in ("name", "hub id", "size", "from")]
    table = Table(*columns, "licence", "note", box=SIMPLE)
    for model in models:
        size = f"{model.size / 1e9:.1f} GB" if model.size >= 1e9 else f"{model.size / 1e6:.0f} MB"
        note = "needs a hub account" if model.gated and model.source == "hub" else model.note
        table.add_row(model.name, model.hub, size, model.source, model.licence, note)
    return table
