"""What a run has cost: calls, tokens, GPU time and money of every node, and of a kept sample.

Pure functions of the journal's sums and the flow file's prices; nothing is read twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import Field

from synth.config.flowfile import ModelSpec, Prices
from synth.journal import StageRow
from synth.runs.runfiles import CallTotals, JournalView, Part

__all__ = ["Amount", "CostRow", "Ledger", "Tariff", "gpus_held", "ledger", "worked"]

_DEVICES = Path("/dev")


@dataclass(frozen=True)
class Tariff:
    """The flow file's prices, with the roles that are served locally and the GPUs they hold."""

    prices: Prices
    local: frozenset[str] = frozenset()
    gpus: int = 0

    @classmethod
    def of(cls, prices: Prices, models: Mapping[str, ModelSpec], gpus: int) -> Self:
        """The tariff of a flow file on a machine where its servers hold so many GPUs."""
        return cls(prices, frozenset(role for role, spec in models.items() if spec.kind == "local"), gpus)

    def of_tokens(self, role: str, model: str, prompt: float, completion: float) -> float:
        """Money for tokens: by the role's price, else the model's, else none."""
        price = self.prices.tokens.get(role) or self.prices.tokens.get(model)
        return (price.prompt * prompt + price.completion * completion) / 1e6 if price else 0.0

    def of_gpus(self, gpu_seconds: float) -> float:
        """Money for seconds of one GPU."""
        return self.prices.gpu_hour * gpu_seconds / 3600


class Amount(Part):
    """Something's share of the bill."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    """Time spent in calls; many run at once, so this may exceed the wall time."""
    gpu_seconds: float = 0.0
    """Wall time of work, times the GPUs the local servers held; 0 where they have none."""
    money: float | None = None
    """None where the flow file has no prices."""

    @property
    def tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens


class CostRow(Amount):
    """One agent's share in one stage. A stage that held GPUs without a local call has a row
    with no agent: training, or a stage that asked others while the servers waited."""

    round: int
    stage: str
    agent: str
    role: str


class Ledger(Part):
    """The bill of a run: a row for every round, stage and agent, and what they come to."""

    currency: str = "USD"
    rows: list[CostRow] = Field(default_factory=list)
    total: Amount = Amount()
    kept: int = 0
    """Samples in the rounds' training data."""
    tokens_per_sample: float | None = None
    """Tokens of all calls, exams included, for one kept sample; None while there is none."""
    money_per_sample: float | None = None


def ledger(journal: JournalView, tariff: Tariff, kept: int) -> Ledger:
    """The bill of the run whose journal this is, `kept` being its training samples."""
    stages = {f"{row.round}/{row.name}": worked(journal, row) or 0.0 for row in journal.stages}
    keys = dict.fromkeys([*stages, *sorted({call.stage for call in journal.calls})])
    rows: list[CostRow] = []
    for key in keys:
        calls = [call for call in journal.calls if call.stage == key]
        rows += _stage_rows(key, calls, tariff, tariff.gpus * stages.get(key, 0.0))
    total = _sum(rows, tariff)
    return Ledger(
        currency=tariff.prices.currency,
        rows=rows,
        total=total,
        kept=kept,
        tokens_per_sample=total.tokens / kept if kept else None,
        money_per_sample=total.money / kept if kept and total.money is not None else None,
    )


def worked(journal: JournalView, row: StageRow) -> float | None:
    """Seconds of work in a stage over all starts; where a journal does not say, from its start
    to its end, and None while it has none."""
    noted = journal.meta.get(f"worked:{row.round}/{row.name}")
    if noted is not None:
        return float(noted)
    return max(0.0, row.finished - row.started) if row.finished is not None else None


def gpus_held(models: Iterable[ModelSpec]) -> int:
    """GPUs of this machine that the local servers of these models hold: each goes where most is left
    (`synth.gpu.share`), so they share one only where there are more servers than GPUs."""
    wanted = {
        (spec.title, spec.api): spec.server.tensor_parallel_size * spec.server.replicas
        for spec in models
        if spec.kind == "local"
    }
    return min(sum(wanted.values()), len(list(_DEVICES.glob("nvidia[0-9]*"))))


def _stage_rows(key: str, calls: list[CallTotals], tariff: Tariff, gpu_seconds: float) -> list[CostRow]:
    """A stage's rows by agent. GPU time goes to those who asked local models, by time in calls."""
    number, _, stage = key.partition("/")
    place = {"round": int(number) if number.isdecimal() else 0, "stage": stage}
    local = sum(call.seconds for call in calls if call.role in tariff.local)
    rows = []
    for agent, role in dict.fromkeys((call.agent, call.role) for call in calls):
        mine = [call for call in calls if (call.agent, call.role) == (agent, role)]
        seconds = sum(call.seconds for call in mine)
        share = seconds / local if role in tariff.local and local else 0.0
        tokens = sum(
            tariff.of_tokens(role, call.model, call.prompt_tokens, call.completion_tokens) for call in mine
        )
        row = CostRow(
            **place,
            agent=agent,
            role=role,
            calls=sum(call.calls for call in mine),
            prompt_tokens=sum(call.prompt_tokens for call in mine),
            completion_tokens=sum(call.completion_tokens for call in mine),
            seconds=seconds,
            gpu_seconds=share * gpu_seconds,
            money=tokens + tariff.of_gpus(share * gpu_seconds) if tariff.prices.known else None,
        )
        rows.append(row)
    if gpu_seconds and not local:
        money = tariff.of_gpus(gpu_seconds) if tariff.prices.known else None
        rows.append(CostRow(**place, agent="", role="", gpu_seconds=gpu_seconds, money=money))
    return rows


def _sum(rows: list[CostRow], tariff: Tariff) -> Amount:
    return Amount(
        calls=sum(row.calls for row in rows),
        prompt_tokens=sum(row.prompt_tokens for row in rows),
        completion_tokens=sum(row.completion_tokens for row in rows),
        seconds=sum(row.seconds for row in rows),
        gpu_seconds=sum(row.gpu_seconds for row in rows),
        money=sum(row.money or 0.0 for row in rows) if tariff.prices.known else None,
    )
