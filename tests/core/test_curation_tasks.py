"""What the project's own flows make passes the default steps: tasks are alike and all different."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from synth.config import DataSource, FlowFile, load_flow
from synth.curation import Curated, curate
from synth.data import normalise, read_questions
from synth.flows.answering import question_messages
from synth.records import Question, Sample
from synth.teachers.sections import strong, weak

FLOWS = Path(__file__).parents[2] / "flows"
FACTS: dict[str, Any] = {"seed_id": "s", "arm": "fixed", "round": 1}


def by_default(flow: FlowFile, samples: Iterable[Sample], held_out: Iterable[Question]) -> Curated:
    """The samples through the flow file's curation, all steps but the budgets."""
    return curate(
        samples,
        held_out={normalise(question.question): "test" for question in held_out},
        count_tokens=lambda sample: 1,
        token_budget=None,
        limit=None,
        seed=flow.seed,
        rules=flow.curate,
        lint_drop=("identical",),
    )


@pytest.mark.parametrize("profile", [None, "tiny"])
def test_stat_loses_none_of_its_tasks(profile: str | None) -> None:
    """Pool questions with their answers, against the very items of the flow's exam and profile."""
    flow = load_flow(FLOWS / "stat.yaml", profile=profile).flow
    held_out: list[Question] = []
    for name in flow.held_out:
        exclude = [question.question for question in held_out]
        held_out += read_questions(flow.data[name], base=FLOWS, exclude=exclude)
    pool = read_questions(flow.data["pool"], base=FLOWS, exclude=[q.question for q in held_out])
    samples = [
        Sample.sft(
            question_messages(item.question, flow.evaluate),
            item.answer,
            flow="stat",
            meta={"question": item.question},
            **FACTS,
        )
        for item in pool
    ]
    curated = by_default(flow, samples, held_out)
    assert len(samples) > 1000
    assert curated.rejections == []
    assert sorted(sample.id for sample in curated.samples) == sorted(sample.id for sample in samples)


def test_every_family_keeps_its_tasks() -> None:
    """Also those whose wording is longer than the numbers in it."""
    from synth.data.tasks import families

    names = tuple(name for name in families() if name not in ("multiplication", "base_conversion"))
    test, pool = (
        DataSource(source="tasks", families=names, size=size, seed=seed) for size, seed in ((40, 1), (60, 3))
    )
    held_out = list(read_questions(test, base=FLOWS))
    items = read_questions(pool, base=FLOWS, exclude=[question.question for question in held_out])
    flow = load_flow(FLOWS / "stat.yaml").flow
    made = [
        Sample.sft(question_messages(i.question, flow.evaluate), i.answer, flow="stat", **FACTS)
        for i in items
    ]
    assert by_default(flow, made, held_out).rejections == []


def test_delta_loses_none_of_its_pairs() -> None:
    """Sections on one topic are like those on another but for the topic's words."""
    flow = load_flow(FLOWS / "delta.yaml").flow
    held_out = list(read_questions(flow.data["test"], base=FLOWS))
    prompts = [
        question_messages(q.question, flow.evaluate) for q in read_questions(flow.data["prompts"], base=FLOWS)
    ]
    made = [Sample.pair(asked, strong(asked), weak(asked), flow="delta", **FACTS) for asked in prompts]
    assert by_default(flow, made, held_out).rejections == []


def test_a_faithful_arm_is_curated_as_published() -> None:
    """Papers drop neither near-duplicates nor odd forms; what is written is done all the same."""
    faithful = load_flow(FLOWS / "stat.yaml", overrides=["with.arm=faithful"]).flow.curate
    assert (faithful.near, faithful.format, faithful.exact) == (None, False, True)
    assert faithful.overlap is not None and faithful.private.api_key == "drop"
    written = load_flow(
        FLOWS / "stat.yaml", overrides=["with.arm=faithful", "curate.format=true"]
    ).flow.curate
    assert (written.near, written.format) == (None, True)
