"""`synth compare`: paired tests over items, seeds grouped, and nothing compared that cannot be."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from synth.engine.folder import RunFolder
from synth.errors import RunError
from synth.measure.compare import compare
from synth.measure.stats import mcnemar, two_level_bootstrap
from synth.records import Judged
from tests.support.command import Run

ITEMS = 120


def judged(right: set[int], items: int = ITEMS) -> list[Judged]:
    said = {"family": "f", "question": "q", "answer": "a", "response": "r", "extracted": "", "strict": False}
    return [Judged.model_validate({"id": f"i{i}", "correct": i in right, **said}) for i in range(items)]


def made(folder: Path, right: set[int], *, arm: str, seed: int = 0, tokens: int = 1000, **rest: Any) -> Path:
    """A run whose base answers the first ten items and whose student those in `right`."""
    flow = {"flow": "stat", "seed": seed, "with": {"arm": arm}, "gate": {"metric": "accuracy"}, **rest}
    RunFolder.write(folder / "flow.yaml", yaml.safe_dump(flow).encode())
    place = folder / "rounds" / "1"
    RunFolder.write_lines(place / "eval" / "before.jsonl", judged(set(range(10))))
    RunFolder.write_lines(place / "eval" / "after.jsonl", judged(right))
    RunFolder.write_json(place / "train" / "result.json", {"tokens": tokens})
    return folder


def test_each_run_is_held_against_the_first_item_by_item(tmp_path: Path) -> None:
    """The exact McNemar p of the discordant items, adjusted for three comparisons."""
    first = made(tmp_path / "a", set(range(60)), arm="fixed")
    worse = made(tmp_path / "b", set(range(40)), arm="control-uniform")
    same = made(tmp_path / "c", set(range(1, 61)), arm="control-shuffled")
    none = made(tmp_path / "d", set(range(10)), arm="control-none", tokens=0)
    found = compare([first, worse, same, none])
    one, two, three, _ = found.arms
    assert (one.before, one.after, one.against_first) == (10 / ITEMS, 0.5, None)
    assert two.against_first is not None
    assert three.against_first is not None
    assert (two.against_first.gained, two.against_first.lost) == (0, 20)
    assert two.against_first.p_value == mcnemar(0, 20)
    assert two.against_first.p_holm == pytest.approx(2 * mcnemar(0, 20))
    assert two.against_first.interval.high < 0
    assert (three.against_first.difference, three.against_first.p_holm) == (0.0, 1.0)
    assert found.warnings == []  # an arm without training is of no size


def test_arms_of_unequal_size_are_named(tmp_path: Path) -> None:
    """More than a tenth more training tokens is no equal comparison; a tenth is."""
    runs = [
        made(tmp_path / name, {1}, arm=name, tokens=tokens) for name, tokens in (("x", 1000), ("y", 1100))
    ]
    assert compare(runs).warnings == []
    runs.append(made(tmp_path / "z", {1}, arm="z", tokens=1101))
    assert "z trained on 1,101 tokens, x on 1,000" in compare(runs).warnings[0]


def test_runs_of_three_sizes_make_a_forecast(tmp_path: Path, run: Run) -> None:
    """They differ in nothing but seed, budget and examples; another arm's sizes are no sizes of this one."""
    runs = [
        made(
            tmp_path / f"{size}",
            set(range(right)),
            arm="fixed",
            seed=size,
            tokens=size * 1000,
            budget={"train_tokens": size * 1000},
        )
        for size, right in ((1, 40), (2, 55), (4, 63))
    ]
    other = made(tmp_path / "other", set(range(20)), arm="control-uniform", tokens=9000)
    (found,) = compare([*runs, other]).forecasts
    assert (found.tokens, found.at) == ([1000, 2000, 4000], 8000)
    assert found.levels == [40 / ITEMS, 55 / ITEMS, 63 / ITEMS]
    assert compare([*runs[:2], other]).forecasts == []
    code, said, _ = run("compare", *runs)
    assert code == 0 and "Forecast from 3 sizes" in " ".join(said.split())


def test_seeds_of_an_arm_are_one_row(tmp_path: Path) -> None:
    """Runs that differ in seeds alone are averaged; chance then comes from seeds and items."""
    rng = random.Random(1)

    def seeds(arm: str, share: float) -> list[Path]:
        rights = [set(rng.sample(range(ITEMS), int(share * ITEMS))) for _ in range(5)]
        return [made(tmp_path / f"{arm}-{i}", right, arm=arm, seed=i) for i, right in enumerate(rights)]

    found = compare([*seeds("fixed", 0.7), *seeds("control-uniform", 0.4)])
    assert [arm.arm for arm in found.arms] == ["fixed", "control-uniform"]
    assert [len(arm.runs) for arm in found.arms] == [5, 5]
    difference = found.arms[1].against_first
    assert difference is not None
    assert difference.difference == pytest.approx(-0.3)
    assert "5 and 5 seeds" in difference.test
    assert difference.interval.high < 0
    assert difference.p_value < 0.01


def test_seeds_that_differ_widen_the_interval() -> None:
    """Two arms with the same mean: one whose seeds scatter is known less well."""
    steady, scattered = [[1.0, 0.0] * 50] * 6, [[1.0] * 100, [0.0] * 100] * 3
    narrow, p = two_level_bootstrap(steady, steady)
    wide, _ = two_level_bootstrap(steady, scattered)
    assert (narrow.low, narrow.high, p) == (0.0, 0.0, 1.0)
    assert wide.low < -0.2 < 0.2 < wide.high


def test_other_items_or_verifiers_are_refused(tmp_path: Path) -> None:
    first = made(tmp_path / "a", {1}, arm="fixed")
    fewer = made(tmp_path / "b", {1}, arm="fixed")
    for name in ("before", "after"):
        RunFolder.write_lines(fewer / "rounds/1/eval" / f"{name}.jsonl", judged({1}, 100))
    with pytest.raises(RunError, match="20 of 120 are only in the first"):
        compare([first, fewer])
    other = made(tmp_path / "c", {1}, arm="fixed", evaluate={"verifier": "math"})
    with pytest.raises(RunError, match="'answer' and 'math'"):
        compare([first, other])
    with pytest.raises(RunError, match="no exam after round 2; it has those of 1"):
        compare([first, first], number=2)


def test_the_command_prints_a_table_and_json(run: Run, tmp_path: Path) -> None:
    first = made(tmp_path / "a", set(range(60)), arm="fixed")
    second = made(tmp_path / "b", set(range(30)), arm="control-uniform", tokens=5000)
    code, out, _ = run("compare", first, second)
    assert code == 0
    for part in ("50.0", "25.0", "0 better, 30 worse", "exact McNemar", "not at equal size"):
        assert part in out
    code, out, _ = run("compare", first, second, "--json")
    assert json.loads(out)["arms"][1]["against_first"]["lost"] == 30
    code, out, _ = run("compare", first, first)
    assert (code, "same settings and seeds" in out, "no other arm" in out) == (0, True, True)
    code, _, err = run("compare", first)
    assert (code, "at least two runs" in err) == (2, True)
    code, _, err = run("compare", first, tmp_path / "none")
    assert (code, "runs/NAME" in err) == (5, True)
