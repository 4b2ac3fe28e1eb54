"""Near-duplicates in meaning: an embedding model sees what shared words do not show."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synth.config import FlowFile
from synth.config.curation import NearRule
from synth.curation import Curated
from synth.curation.meaning import by_meaning, pieces
from synth.curation.step import Fault
from synth.engine.flow import FlowParams
from synth.engine.folder import RunFolder
from synth.engine.session import Session
from synth.journal import Journal
from synth.progress import make_progress
from synth.records import Message, Sample, content_id
from synth.rounds.meaning import drop_held_out_meaning, drop_same_meaning
from synth.teachers.model import Model
from synth.teachers.program import ProgramEndpoint
from tests.support.curating import curating, reasons
from tests.support.recorded import FLOW, synth

FACTS: dict[str, Any] = {"seed_id": "s", "flow": "f", "arm": "fixed", "round": 1}
SENSES = {"car": 0, "cars": 0, "auto": 0, "automobile": 0, "boat": 1, "fast": 2, "quick": 2, "slow": 3}


def sample(prompt: str, answer: str, **rest: Any) -> Sample:
    return Sample.sft([{"role": "user", "content": prompt}], answer, **{**FACTS, **rest})


def embedder(messages: Sequence[Message]) -> str:
    """One dimension a sense; synonyms share theirs. What it does not know it answers in words."""
    words = messages[-1]["content"].lower().split()
    if "unknown" in words:
        return "I cannot embed this."
    return json.dumps([float(sum(SENSES.get(word) == sense for word in words)) for sense in range(4)])


def sifted(folder: Path, samples: list[Sample], **rule: Any) -> Curated:
    """What is left of samples once that embedder has seen them."""
    near = {"least": 0, "embedding": rule}
    flow = FlowFile.model_validate(
        {"flow": "x", "models": {"embedder": {"program": "x:y"}}, "curate": {"near": near}, "data": {}}
    )
    run = RunFolder(folder / "run")
    run.open()
    journal = Journal(run.journal)
    models = {"embedder": Model("embedder", "m", "w", "m", ProgramEndpoint(embedder), journal)}
    progress = make_progress(quiet=True)
    session = Session(flow, FlowParams(), run, journal, models, progress, folder / "flow.yaml")
    curated, rules = Curated(samples=samples), flow.curate.near
    assert rules is not None and rules.embedding is not None
    asyncio.run(drop_same_meaning(session, rules, rules.embedding, curated))
    run.close()
    journal.close()
    return curated


def test_the_same_in_other_words_goes(tmp_path: Path) -> None:
    """The first stays; another question, another answer, other numbers, another learner stay as well."""
    same = [sample("a car", "fast"), sample("an automobile", "quick")]
    others = [
        sample("a boat", "fast"),
        sample("a car", "slow"),
        sample("a car 2", "quick"),
        sample("the car", "fast", learner="refiner"),
    ]
    curated = sifted(tmp_path, [*same, *others])
    assert curated.samples == [same[0], *others]
    assert [(r.reason, r.node) for r in curated.rejections] == [("same-meaning", "same-meaning")]
    assert curated.steps["same-meaning"].figures()["dropped"] == {"same-meaning": 1}


def test_a_text_without_a_vector_stays(tmp_path: Path) -> None:
    """A reply that is no vector drops no sample."""
    samples = [sample("unknown car", "fast"), sample("unknown automobile", "fast")]
    assert sifted(tmp_path, samples).samples == samples


def test_long_texts_are_compared_whole(tmp_path: Path) -> None:
    """What differs beyond the first piece counts."""
    same, other = "cars " * 3 + "fast " * 3, "cars " * 3 + "slow " * 3
    samples = [sample("a boat", text) for text in (same, other, same.replace("cars", "auto"))]
    curated = sifted(tmp_path, samples, piece=15)
    assert curated.samples == samples[:2]
    assert [len(piece) for piece in pieces("x" * 2001, 1000)] == [667, 667, 667]
    assert pieces("", 10) == [""]


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples are compared across the blocks they are computed in, with those that stay alone."""
    angles = np.random.default_rng(0).permutation(np.arange(60) * 0.02)
    samples = [sample(f"p{'x' * n}", "same answer") for n in range(60)]
    vectors = {
        content_id(f"p{'x' * n}"): np.array([np.cos(angle), np.sin(angle)], dtype=np.float32)
        for n, angle in enumerate(angles)
    }
    vectors[content_id("same answer")] = np.array([1, 0], dtype=np.float32)
    rule = NearRule.model_validate({"least": 0, "embedding": {"threshold": float(np.cos(0.05))}})
    expected: list[int] = []
    for n, angle in enumerate(angles):
        if all(abs(angle - angles[m]) > 0.05 for m in expected):
            expected.append(n)
    for rows, columns in ((512, 4096), (7, 3), (1, 1)):
        monkeypatch.setattr("synth.curation.meaning.ROWS", rows)
        monkeypatch.setattr("synth.curation.meaning.COLUMNS", columns)
        check = by_meaning(rule, samples, vectors)
        assert [n for n, one in enumerate(samples) if not isinstance(check(one), Fault)] == expected


@pytest.mark.parametrize(
    ("models", "said"),
    [("", "there is no models.embedder"), ("models.embedder={model: smollm2-135m}", "api: embeddings")],
)
def test_the_role_must_embed(
    models: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Said before anything starts."""
    (tmp_path / "flow.yaml").write_text(f"{FLOW}curate: {{near: {{embedding: {{}}}}}}\n")
    assert synth("check", tmp_path / "flow.yaml", *(["--set", models] if models else [])) == 2
    assert said in capsys.readouterr().err


def test_a_held_out_question_in_other_words_goes(tmp_path: Path) -> None:
    """With the same numbers only, and by what is asked alone; without a vector a sample stays."""
    held_out = {"a fast car with 4 doors": "test", "unknown boat": "guard"}
    gone = [
        sample("an automobile, quick , 4 doors".replace(",", ""), "boat"),
        sample("Solve this: a boat", "x", meta={"question": "quick auto of 4 doors"}),
    ]
    stays = [
        sample("a fast car with 5 doors", "x"),
        sample("a slow boat with 4 doors", "a fast car with 4 doors"),
        sample("unknown car", "x"),
    ]
    with curating(tmp_path, {"embedder": embedder}, {"overlap": {"embedding": {}}}) as session:
        curated, rule = Curated(samples=[*gone, *stays]), session.flow.curate.overlap
        assert rule is not None and rule.embedding is not None
        asyncio.run(drop_held_out_meaning(session, rule.embedding, held_out, curated))
    assert curated.samples == stays
    assert reasons(curated) == ["contaminated"] * 2
    assert "question of test" in curated.rejections[0].detail
