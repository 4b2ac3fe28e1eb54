"""Forecasts: what more data would bring, said only where it can be."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from synth.errors import SynthError
from synth.measure.forecast import Size, forecast
from synth.measure.growth import growth, sizes_of


def exam(level: float, items: int = 4000) -> list[float]:
    """Items of which so many are right, the same ones always."""
    return [float(place < level * items) for place in range(items)]


def test_a_power_law_is_found_again() -> None:
    """From 0.8 - 0.5 n^-0.5, four sizes: exponent, limit, and the level at twice the largest one."""
    found = forecast([Size(1e4 * k, exam(0.8 - 0.5 * k**-0.5)) for k in (1, 2, 4, 8)], "accuracy")
    assert found.exponent == pytest.approx(0.5, rel=0.15)
    assert found.limit == pytest.approx(0.8, abs=0.03)
    assert found.expected == pytest.approx(0.8 - 0.5 * 16**-0.5, abs=0.005)
    assert found.interval.low < 0.675 < found.interval.high
    assert (found.verdict, found.at) == ("more", 160_000)


@pytest.mark.parametrize(
    ("levels", "verdict"),
    [
        ((0.4, 0.5, 0.501, 0.5, 0.5), "enough"),
        ((0.5, 0.45, 0.41), "enough"),
        ((0.3, 0.5, 0.6, 0.65), "more"),
        ((0.40, 0.47, 0.50), "open"),
    ],
)
def test_it_says_when_more_data_will_not_help(levels: tuple[float, ...], verdict: str) -> None:
    """Flat and falling levels, rising ones, and those that leave it open; items differ by chance."""
    rng, sizes = np.random.default_rng(3), []
    for k, level in enumerate(levels, 1):
        items = np.array(exam(level, 500))
        turned = rng.random(500) < 0.05
        sizes.append(Size(50_000 * k, np.where(turned, rng.random(500) < level, items).tolist()))
    found = forecast(sizes, "accuracy")
    assert found.verdict == verdict, found.said
    assert found.said.endswith(
        {"more": "should help.", "enough": "hardly help.", "open": "is open."}[verdict]
    )


def test_shares_stay_shares_and_scores_need_not() -> None:
    """No student gets more than all items right; a mean score may go where it likes."""
    shares = forecast([Size(k, exam(level)) for k, level in ((1, 0.9), (2, 0.97), (4, 0.995))], "accuracy")
    assert shares.interval.high <= 1 and shares.limit <= 1
    levels = ((1, 3.0), (2, 4.0), (4, 5.0))
    scores = forecast([Size(k, [s - 1, s + 1] * 50) for k, s in levels], "score")
    assert scores.expected == pytest.approx(6, abs=0.1)


@pytest.mark.parametrize("sizes", [(1, 2), (1, 1, 1, 2), (100, 105, 109, 200), (0, 10, 20)])
def test_too_few_sizes_are_refused(sizes: tuple[int, ...]) -> None:
    """Three numbers take three sizes, a tenth apart; nothing trained is no size."""
    with pytest.raises(SynthError, match="3 different sizes of data or more, and there are 2"):
        forecast([Size(size, exam(0.5, 10)) for size in sizes], "accuracy")


def leave_round(run: Path, number: int, decision: str, tokens: int, level: float) -> None:
    """A round as far as a forecast reads it."""
    folder = run / "rounds" / str(number)
    empty = dict.fromkeys(("family", "question", "answer", "response", "extracted"), "")
    items = enumerate(exam(level, 200))
    rows = [{"id": f"{n}", **empty, "correct": right == 1, "strict": False} for n, right in items]
    for name, text in (
        ("gate.json", json.dumps({"decision": decision})),
        ("train/result.json", json.dumps({"tokens": tokens})),
        ("eval/after.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows)),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def test_a_rounds_size_is_all_that_is_behind_its_student(tmp_path: Path) -> None:
    """A refused student's tokens are not behind the next one; two rounds make no forecast."""
    (tmp_path / "flow.yaml").write_text("flow: stat\n")
    for number, (decision, level) in enumerate((("promote", 0.4), ("keep", 0.45)), 1):
        leave_round(tmp_path, number, decision, 1000, level)
    assert growth(tmp_path) is None
    leave_round(tmp_path, 3, "promote", 1500, 0.5)
    assert [size.tokens for size in sizes_of(tmp_path, "accuracy")] == [1000, 2000, 2500]
    found = growth(tmp_path)
    assert found is not None and found.levels == [0.4, 0.45, 0.5]
