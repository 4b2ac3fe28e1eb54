"""The curriculum: a bandit over the pool's sources, and a round that draws by it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from synth.errors import ConfigError, DataError
from synth.records import Sample
from synth.rounds.curriculum import Mix, Source, advantages, apportion, probabilities, ucb
from tests.core.test_round_rules import read, rounds
from tests.support.nights import load, place

CURRICULUM = ("curriculum={data: profile, share: 0.5}", "data.profile={source: profile.jsonl, skill: skill}",
              "data.pool.skill=skill")  # fmt: skip


def test_advantages_are_distances_in_standard_deviations() -> None:
    """One right of four stands out by 1.5, its fellows by 0.5; answers all alike teach nothing."""
    assert advantages([1, 0, 0, 0]) == pytest.approx([1.5, -0.5, -0.5, -0.5], abs=1e-4)
    assert advantages([1, 1, 1]) == advantages([0, 0, 0]) == [0, 0, 0]
    assert advantages([1]) == [0]


def test_bounds_and_shares_are_the_published_ones() -> None:
    """Mean advantage plus sqrt(2 ln(N + 1) / (n + 1)), and a softmax of that at temperature 0.1."""
    known = {"a": Source(0.8, 300), "b": Source(0.7, 100)}
    bounds = {"a": 0.8 + math.sqrt(2 * math.log(401) / 301), "b": 0.7 + math.sqrt(2 * math.log(401) / 101)}
    assert {name: ucb(source, 400) for name, source in known.items()} == pytest.approx(bounds)
    shares = probabilities(known, 0.1)
    assert shares["b"] / shares["a"] == pytest.approx(math.exp((bounds["b"] - bounds["a"]) / 0.1))
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["b"] > 0.5, "what was drawn seldom has its bonus"


def test_nothing_is_drawn_beyond_what_a_source_holds() -> None:
    """What one cannot give goes to the others by their shares, to the last question."""
    shares = {"a": 0.7, "b": 0.2, "c": 0.1}
    assert apportion(shares, {"a": 10, "b": 100, "c": 100}, 100) == {"a": 10, "b": 60, "c": 30}
    assert apportion({"a": 1.0, "b": 0.0}, {"a": 3, "b": 5}, 6) == {"a": 3, "b": 3}
    assert apportion(shares, {"a": 1, "b": 1, "c": 1}, 9) == {"a": 1, "b": 1, "c": 1}
    assert sum(apportion(dict.fromkeys("abc", 1 / 3), dict.fromkeys("abc", 50), 100).values()) == 100


def families(folder: Path, pool: dict[str, int], asked: dict[str, int]) -> Path:
    """A place whose pool and profile have skills, that many questions each."""
    file = place(folder, ["test=.4", "test=.4"])
    for name, skills in (("pool", pool), ("profile", asked)):
        rows = [
            {"question": f"{skill} {n + 100 * (name == 'profile')}", "answer": f"right {n}", "skill": skill}
            for skill, size in skills.items()
            for n in range(size)
        ]
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return file


def test_a_round_draws_half_the_pool_and_writes_down_why(tmp_path: Path) -> None:
    """Training has as many questions as were drawn; round 2 knows what round 1 drew; a second start
    comes to the same."""
    families(tmp_path, {"one": 20, "two": 20}, {"one": 4, "two": 4})
    decisions = rounds(tmp_path, [], "rounds=2", *CURRICULUM)
    first, second = (Mix.model_validate(read(tmp_path, f"{n}/curriculum.json")) for n in (1, 2))
    assert [one.drawn for one in first.sources] == [10, 10], "nobody's answers differ, so all is even"
    assert [one.drawn for one in second.sources] == [10, 10]
    assert (first.sources[0].held, first.sources[0].right, first.sources[0].advantage) == (20, 0, 0)
    lines = (tmp_path / "run/rounds/1/data/samples.jsonl").read_text().splitlines()
    asked = [Sample.model_validate_json(line).prompt[-1]["content"] for line in lines]
    assert sorted(text.split()[0] for text in asked) == ["one"] * 10 + ["two"] * 10
    assert read(tmp_path, "1/plan.json")["curriculum"]["share"] == 0.5
    assert rounds(tmp_path, [], "rounds=2", *CURRICULUM) == decisions
    assert "What the round drew from" in (tmp_path / "run/report.html").read_text()


def test_a_source_that_nobody_asks_about_is_named(tmp_path: Path) -> None:
    """Before anything is drawn: it would look like one that teaches nothing."""
    families(tmp_path, {"one": 4, "two": 4}, {"one": 4})
    with pytest.raises(DataError, match="no question of 'two'"):
        rounds(tmp_path, [], *CURRICULUM)


def test_its_sources_must_be_in_the_flow_file(tmp_path: Path) -> None:
    """With the place and the names there are."""
    place(tmp_path, [])
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "plain.yaml", ["curriculum={data: profil}"], None)
    assert "there is no data.profil" in str(caught.value)
