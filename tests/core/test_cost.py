"""The bill of a run adds up: every call in one row, GPU time where models are served, money by prices."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from synth.cli.tables import status_tables
from synth.config import ModelSpec, Prices
from synth.figures import money
from synth.journal import StageRow
from synth.report import write_report
from synth.runs import cost
from synth.runs.cost import Tariff, gpus_held, ledger
from synth.runs.runfiles import CallTotals, JournalView
from synth.runs.summary import summarize
from tests.core.fake_run import FLOW, build

PRICES = Prices.model_validate(
    {"currency": "EUR", "gpu_hour": 3.6, "tokens": {"teacher": {"prompt": 1.0, "completion": 4.0}}}
)
JOURNAL = JournalView(
    meta={"worked:1/profile": "100", "worked:1/train": "50"},
    stages=[
        StageRow(1, "profile", "done", 0.0, 900.0, {}),
        StageRow(1, "make", "done", 900.0, 930.0, {}),
        StageRow(1, "train", "done", 930.0, 990.0, {}),
    ],
    calls=[
        CallTotals("1/profile", "answer", "student", "small", 20, 2_000, 400, 30.0, 1.0),
        CallTotals("1/profile", "label", "teacher", "big", 10, 5_000, 1_000, 10.0, 2.0),
        CallTotals("1/make", "solve", "teacher", "big", 30, 9_000, 3_000, 90.0, 3.0),
    ],
)


def test_gpu_time_goes_to_who_was_served_and_tokens_to_who_was_paid() -> None:
    """The local student has the GPU's time of its stage, the endpoint's calls have their price; time
    in which GPUs waited or trained is on the bill too, and nothing is counted twice."""
    bill = ledger(JOURNAL, Tariff(PRICES, frozenset({"student"}), 2), kept=50)
    rows = {(row.stage, row.agent): row for row in bill.rows}
    assert rows["profile", "answer"].gpu_seconds == 200
    assert rows["profile", "answer"].money == pytest.approx(0.2)
    assert (rows["profile", "label"].gpu_seconds, rows["profile", "label"].money) == (0, pytest.approx(0.009))
    assert (rows["make", "solve"].gpu_seconds, rows["make", "solve"].money) == (0, pytest.approx(0.021))
    assert (rows["make", ""].gpu_seconds, rows["train", ""].gpu_seconds) == (60, 100)
    assert (bill.total.calls, bill.total.tokens, bill.total.gpu_seconds) == (60, 20_400, 360)
    assert bill.total.money == pytest.approx(0.36 + 0.03)
    assert (bill.tokens_per_sample, bill.money_per_sample) == (408, pytest.approx(0.39 / 50))


def test_time_of_two_local_agents_is_shared_by_their_calls() -> None:
    """Thirty seconds of calls and ten share the stage as three to one."""
    bill = ledger(JOURNAL, Tariff(PRICES, frozenset({"student", "teacher"}), 1), kept=0)
    assert [row.gpu_seconds for row in bill.rows] == [75, 25, 30, 50]
    assert bill.money_per_sample is None


def test_a_role_has_its_own_price_before_its_models() -> None:
    """Two roles of one model may be billed differently; who is not priced is free."""
    prices = Prices.model_validate({"tokens": {"big": {"prompt": 2.0}, "judge": {"prompt": 5.0}}})
    tariff = Tariff(prices)
    assert tariff.of_tokens("teacher", "big", 1e6, 1e6) == 2.0
    assert tariff.of_tokens("judge", "big", 1e6, 1e6) == 5.0
    assert tariff.of_tokens("student", "small", 1e6, 1e6) == 0.0


def test_without_prices_there_is_no_money_but_all_tokens() -> None:
    """No price is not a price of nought."""
    bill = ledger(JOURNAL, Tariff(Prices()), kept=50)
    assert bill.total.money is None
    assert bill.money_per_sample is None
    assert (bill.total.tokens, bill.total.gpu_seconds) == (20_400, 0)


def test_gpus_are_counted_once_however_many_servers_share_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each server has GPUs of its own while there are enough; a machine without any has none."""
    specs = [
        ModelSpec(model="a"),
        ModelSpec(model="a"),
        ModelSpec.model_validate({"model": "b", "server": {"tensor_parallel_size": 2}}),
        ModelSpec(program="x:y"),
    ]
    monkeypatch.setattr(cost, "_DEVICES", tmp_path)
    assert gpus_held(specs) == 0
    for name in ("nvidia0", "nvidia1", "nvidia2", "nvidiactl"):
        (tmp_path / name).touch()
    assert gpus_held(specs) == 3
    (tmp_path / "nvidia0").unlink()
    assert gpus_held(specs) == 2
    assert gpus_held(specs[3:]) == 0


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0.00"), (0.00421, "0.0042"), (0.0999, "0.10"), (0.314, "0.31"), (1240, "1,240.00")],
)
def test_money_is_written_to_the_cent_or_to_two_figures(amount: float, text: str) -> None:
    assert money(amount, "USD") == f"{text}\N{NO-BREAK SPACE}USD"


def test_status_and_report_show_the_cost(tmp_path: Path) -> None:
    """Per node and per kept sample; money appears as soon as the flow file has prices."""
    folder = build(tmp_path / "run")
    assert summarize(folder).cost.total.money is None
    assert "Money" not in write_report(folder).read_text("utf-8")
    (folder / "flow.yaml").write_text(yaml.safe_dump({**FLOW, "prices": PRICES.model_dump(mode="json")}))
    run = summarize(folder)
    assert run.warnings == []
    assert run.cost.total.calls == run.calls == 180
    assert run.cost.total.money == pytest.approx(180 * (310 + 4 * 95) / 1e6)
    assert run.cost.kept == 600
    page = write_report(folder).read_text("utf-8")
    assert "Money" in page
    assert "0.00021\N{NO-BREAK SPACE}EUR" in page
    said = [str(part) for part in status_tables(run)]
    assert "600 samples kept, each for 122 tokens and 0.00021\N{NO-BREAK SPACE}EUR" in said
