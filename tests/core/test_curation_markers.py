"""Training-time markers: in the rows that training reads, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from synth.config.curation import Curate
from synth.curation import Curated, rows_file, settle, write_dataset
from synth.records import Sample, Verdict

FACTS: dict[str, Any] = {"seed_id": "s", "flow": "f", "arm": "fixed", "round": 1}


def marked(samples: list[Sample], seed: int = 0, **markers: Any) -> Curated:
    curated = Curated(samples=samples)
    settle(curated, Curate.model_validate({"markers": markers}), lambda one: 1, None, None, seed)
    return curated


def samples(count: int = 400) -> list[Sample]:
    verdicts = (Verdict(by="me", name="worth", value=4.0),)
    return [
        Sample.sft(
            [{"role": "user", "content": f"Question {n}?"}],
            "Yes.",
            family="sums",
            skills=("add", "carry"),
            verdicts=verdicts,
            **FACTS,
        )
        for n in range(count)
    ]


def test_some_have_all_markers_some_a_part_some_none() -> None:
    """By the rates that are written, the same in every run of a seed; prompts stay as they were."""
    given = samples()
    found = marked(given, by=["family", "skill", "worth", "meta.unknown"], drop_all=0.5, drop_each=0.5)
    texts = {one.id: one.meta.get("markers", "") for one in found.samples}
    bare = sum(not text for text in texts.values()) / len(texts)
    assert bare == pytest.approx(0.5 + 0.5 * 0.5**3, abs=0.06)
    assert "[family: sums] [skill: add, carry] [worth: 4.0]" in texts.values()
    assert "[skill: add, carry]" in texts.values()
    assert {(one.id, one.prompt[0]["content"]) for one in found.samples} == {
        (one.id, one.prompt[0]["content"]) for one in given
    }
    again = marked(samples(), by=["family", "skill", "worth", "meta.unknown"], drop_all=0.5, drop_each=0.5)
    assert {one.id: one.meta.get("markers", "") for one in again.samples} == texts
    tally = found.steps["markers"]
    assert (tally.seen, tally.kept, tally.changed) == (400, 400, sum(bool(text) for text in texts.values()))


def test_training_puts_them_after_the_prompt(tmp_path: Path) -> None:
    """The rows hold prompts as they are asked; whoever trains reads them with their markers."""
    from synth.students.examples import load_examples

    curated = marked(samples(20), by=["family"], drop_all=0.5, drop_each=0)
    facts: dict[str, Any] = {"name": "n", "round": 1, "flow": "f", "arm": "a", "version": "0"}
    write_dataset(tmp_path, curated, [], {**facts, "models": {}, "citation": ""})
    path = rows_file(tmp_path, "student")
    for file in (path, path.with_suffix(".jsonl")):
        rows = load_examples(file)
        assert rows.column_names == ["prompt", "completion"]
        asked = [row["prompt"][0]["content"] for row in rows]
        assert {text.partition("?")[2] for text in asked} == {"", "\n\n[family: sums]"}
    lines = [orjson.loads(line) for line in path.with_suffix(".jsonl").read_bytes().splitlines()]
    assert all(line["prompt"][0]["content"].endswith("?") for line in lines)


def test_markers_of_a_judge_need_one() -> None:
    """Said with the name that a judge would give."""
    with pytest.raises(ValueError, match="write judge: as well"):
        Curate.model_validate({"markers": {"by": ["family", "quality"]}})
