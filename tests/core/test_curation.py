"""From samples to training sets: pairs are looked over, each learner has its rows, every drop its reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from synth.curation import Curated, curate, write_dataset
from synth.curation.lint import PairLint, faults
from synth.errors import DataError
from synth.records import Message, Sample, Verdict

ASKED = "What is the capital of France?"
FACTS: dict[str, Any] = {"seed_id": "s", "flow": "pairs", "arm": "fixed", "round": 1}
CARD: dict[str, Any] = {
    **{"name": "run", "round": 1, "flow": "pairs", "arm": "fixed", "version": "1", "citation": ""},
    "models": {"student": "m@w"},
}


def asked(text: str = ASKED) -> list[Message]:
    return [{"role": "user", "content": text}]


def pair(chosen: str, rejected: str, question: str = ASKED, **rest: Any) -> Sample:
    return Sample.pair(asked(question), chosen, rejected, **{**FACTS, **rest})


def scores(chosen: float, rejected: float) -> tuple[Verdict, ...]:
    return tuple(Verdict(by="v", name=n, value=x) for n, x in (("chosen", chosen), ("rejected", rejected)))


GOOD = "The capital of France is Paris, a city on the Seine."
LESS = "France has a capital city, and many people call it Lyon."


@pytest.mark.parametrize(
    ("chosen", "rejected", "more", "found"),
    [
        (GOOD, LESS, {}, []),
        (GOOD, f"{GOOD} \n", {}, ["identical"]),
        ("So the answer is Paris. I am sure of it.", "I guess: the answer is paris", {}, ["same-answer"]),
        (
            r"It is \boxed{7}, as three and four are seven.",
            r"Let me see. \boxed{7} it is then.",
            {},
            ["same-answer"],
        ),
        ("Paris", "Lyon", {}, []),
        (GOOD, LESS, {"meta": {"unfinished": ["rejected"]}}, ["truncated"]),
        (f"{GOOD}\n```python\nprint(1)", LESS, {}, ["truncated"]),
        (f"{GOOD}<|im_end|>", LESS, {}, ["leaked"]),
        (GOOD, f"{LESS}\nUser: and Spain?", {}, ["leaked"]),
        (f"{GOOD} [REVISED]", LESS, {}, ["leaked"]),
        ("I'm sorry, but I can't tell you what it is.", LESS, {}, ["refused"]),
        ("I cannot help with that question, not now.", LESS, {}, ["refused"]),
        (GOOD, "I'm sorry, but I can't tell you what it is.", {}, []),
        ("Sorry for the delay: it is Paris, on the Seine.", LESS, {}, []),
        (GOOD, "法国的首都是巴黎它是一座位于塞纳河畔的城市人口众多历史悠久", {}, ["language"]),
        (GOOD, "La capitale de la France est Paris, une grande ville sur la Seine.", {}, ["language"]),
        (GOOD * 4, LESS, {}, ["lopsided"]),
        (GOOD, LESS, {"verdicts": scores(0.2, 0.7)}, ["reversed"]),
        (GOOD, LESS, {"verdicts": scores(0.7, 0.2)}, []),
    ],
)
def test_each_fault_is_found_and_no_other(
    chosen: str, rejected: str, more: dict[str, Any], found: list[str]
) -> None:
    """What a pair teaches beside what it was made for."""
    assert faults(pair(chosen, rejected, **more), delimiters=("[REVISED]",)) == found


def test_marks_that_the_prompt_has_are_no_leak() -> None:
    """A question about chat templates may be answered."""
    assert faults(pair("Write [INST] before it.", LESS, "Where does [INST] go?")) == []


def test_figures_of_a_set_of_pairs() -> None:
    """Edit distance is a share of characters, the length ratio geometric, the margin of scored pairs."""
    lint = PairLint()
    assert lint.figures() == {}
    lint.see(pair("abcd", "abcx", verdicts=scores(0.9, 0.4)))
    lint.see(pair("x" * 8, "y" * 2))
    figures = lint.figures()
    assert figures == {
        "pairs": 2,
        "found": {"lopsided": 1},
        "edit_distance": pytest.approx((0.25 + 1) / 2),
        "length_ratio": pytest.approx(2.0),
        "margin": pytest.approx(0.5),
    }


def kept(samples: list[Sample], **changes: Any) -> Curated:
    settings: dict[str, Any] = {
        "held_out": {},
        "count_tokens": lambda sample: 10,
        "token_budget": None,
        "limit": None,
        "seed": 0,
    }
    return curate(samples, **{**settings, **changes})


def test_pairs_are_dropped_for_what_the_flow_says_alone() -> None:
    """The lint counts all; a faithful arm may keep what it finds."""
    samples = [pair(GOOD, GOOD), pair(GOOD * 4, LESS), pair(GOOD, LESS)]
    for drop, left in (((), 3), (("identical",), 2), (("identical", "lopsided"), 1)):
        curated = kept(samples, lint_drop=drop)
        assert len(curated.samples) == left
        assert sorted(r.reason for r in curated.rejections) == sorted(drop)
        assert curated.lint.found == {"identical": 1, "lopsided": 1}


def test_pairs_are_held_against_the_held_out_questions_and_each_other() -> None:
    """Decontamination goes by the prompt; a duplicate has the same two answers and the same learner."""
    samples = [
        pair(GOOD, LESS),
        pair(GOOD, LESS),
        pair(GOOD, "Lyon, I think."),
        pair(GOOD, LESS, learner="refiner"),
        pair("Rome", "Turin", "What is the capital of Italy?"),
    ]
    curated = kept(samples, held_out={"what is the capital of italy?": "test"})
    assert [r.reason for r in curated.rejections] == ["duplicate", "contaminated"]
    assert {"chosen", "rejected"} <= set(curated.rejections[0].data)


def test_budgets_are_a_learner_each() -> None:
    """Many answers for the refiner take nothing from the student's pairs."""
    pairs = [pair(f"{GOOD} {n}", LESS) for n in range(5)]
    answers = [Sample.sft(asked(), f"Paris {n}", learner="refiner", **FACTS) for n in range(5)]
    curated = kept(pairs + answers, token_budget=35)
    assert (len(curated.of("student")), len(curated.of("refiner"))) == (3, 3)
    assert curated.tokens == 60
    assert len(kept(pairs + answers, limit=2).of("student")) == 2


def test_each_learner_has_its_files(tmp_path: Path) -> None:
    """TRL's columns; who was cut off is named in every row, so that the columns are the same."""
    cut = pair(GOOD, LESS, meta={"unfinished": ["rejected"]})
    curated = kept([cut, pair(GOOD, "Lyon."), Sample.sft(asked(), "Paris", learner="refiner", **FACTS)])
    write_dataset(tmp_path, curated, (), CARD)
    rows = pq.read_table(tmp_path / "train.parquet").to_pylist()
    assert sorted((row["rejected"][0]["content"], row["unfinished"]) for row in rows) == sorted(
        [(LESS, ["rejected"]), ("Lyon.", [])]
    )
    assert [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()] == rows
    refiner = pq.read_table(tmp_path / "refiner.parquet")
    assert refiner.column_names == ["prompt", "completion", "id", "family", "skills"]
    card = (tmp_path / "README.md").read_text()
    assert "| truncated | 1 |" in card and "student, 2 examples; refiner, 1 examples" in card


def test_one_learner_has_one_kind_of_rows(tmp_path: Path) -> None:
    """Otherwise half of the rows would silently lose their answers."""
    with pytest.raises(DataError, match="the student mixes pairs with single answers"):
        write_dataset(tmp_path, kept([pair(GOOD, LESS), Sample.sft(asked(), "Paris", **FACTS)]), (), CARD)
