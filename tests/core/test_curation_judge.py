"""A judge is held against people's labels before it may drop anything."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from synth.config import FlowFile
from synth.config.curation import JudgeRules
from synth.curation import Curated
from synth.curation.calibration import Gold, calibrated, gold_pairs, kappa, read_gold
from synth.engine.flow import FlowParams
from synth.engine.folder import RunFolder
from synth.engine.session import Session
from synth.errors import DataError
from synth.journal import Journal
from synth.progress import make_progress
from synth.records import Message, Sample
from synth.rounds.quality import judge_samples
from synth.teachers.model import Model
from synth.teachers.program import ProgramEndpoint

Program = Callable[[Sequence[Message]], str]
GOLD = [
    {
        "prompt": f"Give number {n}.",
        "answer": str(n if good else n + 1),
        "good": good,
        "by": "m" if n % 2 else "o",
    }
    for n in range(8)
    for good in (True, False)
]
FACTS: dict[str, Any] = {"seed_id": "s", "flow": "f", "arm": "fixed", "round": 1}


def tag(text: str, name: str) -> str:
    return text.rpartition(f"<{name}>\n")[2].partition(f"\n</{name}>")[0]


def right(request: str, answer: str) -> bool:
    return re.findall(r"\d+", request) == re.findall(r"\d+", answer)


def knowing(messages: Sequence[Message]) -> str:
    """Knows which answer is right."""
    text = messages[-1]["content"]
    request = tag(text, "request")
    if "<first>" in text:
        better = "first" if right(request, tag(text, "first")) else "second"
        return json.dumps({"reason": "so", "better": better})
    score = 5 if right(request, tag(text, "answer")) else 1
    return json.dumps({"reason": "so", "score": score, "task": "facts", "difficulty": "easy"})


def hasty(messages: Sequence[Message]) -> str:
    """Scores well, and always prefers what stands first."""
    text = messages[-1]["content"]
    return json.dumps({"better": "first"}) if "<first>" in text else knowing(messages)


def kind(messages: Sequence[Message]) -> str:
    """Likes everything."""
    return json.dumps({"score": 5, "better": "tie"})


def mute(messages: Sequence[Message]) -> str:
    """Says nothing that can be read, but of the gold set."""
    return knowing(messages) if "number" in messages[-1]["content"] else "Hm."


@pytest.fixture
def judged(tmp_path: Path) -> Iterator[Callable[..., Curated]]:
    """What a program makes of samples, as the judge of a session."""
    journals: list[Journal] = []
    (tmp_path / "gold.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in GOLD))

    def call(program: Program, samples: list[Sample], **curate: Any) -> Curated:
        rules = {"judge": {"gold": "gold.jsonl", "min_score": 3}, **curate}
        flow = FlowFile.model_validate(
            {"flow": "x", "models": {"judge": {"program": "x:y"}}, "curate": rules, "data": {}}
        )
        run = RunFolder(tmp_path / f"run-{len(journals)}")
        run.open()
        journals.append(Journal(run.journal))
        models = {"judge": Model("judge", "m", "w", "judge", ProgramEndpoint(program), journals[-1])}
        progress = make_progress(quiet=True)
        session = Session(flow, FlowParams(), run, journals[-1], models, progress, tmp_path / "flow.yaml")
        curated = Curated(samples=samples)
        assert flow.curate.judge is not None
        asyncio.run(judge_samples(session, flow.curate.judge, curated))
        run.close()
        return curated

    yield call
    for journal in journals:
        journal.close()


def sample(request: str, answer: str) -> Sample:
    return Sample.sft([{"role": "user", "content": request}], answer, **FACTS)


def pair(request: str, chosen: str, rejected: str) -> Sample:
    return Sample.pair([{"role": "user", "content": request}], chosen, rejected, **FACTS)


def samples() -> list[Sample]:
    return [
        sample("Say 7.", "7"),
        sample("Say 8.", "9"),
        pair("Say 5.", "5", "6"),
        pair("Say 4.", "3", "4"),
    ]


def test_a_judge_that_agrees_drops_what_is_poor(judged: Callable[..., Curated]) -> None:
    """Single answers under the score, pairs whose rejected answer it prefers in either order."""
    curated = judged(knowing, samples())
    assert [r.reason for r in curated.rejections] == ["poor", "judge-disagrees"]
    assert [one.prompt[0]["content"] for one in curated.samples] == ["Say 7.", "Say 5."]
    values = {verdict.name: verdict.value for verdict in curated.samples[0].verdicts}
    assert values == {"quality": 5.0, "task": "facts", "difficulty": "easy"}
    assert curated.judge["agreement"] == 1 and curated.judge["flips"] == 0
    assert curated.steps["judge"].figures()["dropped"] == {"poor": 1, "judge-disagrees": 1}


def test_a_judge_that_agrees_by_chance_drops_nothing(judged: Callable[..., Curated]) -> None:
    """The run says so and goes on unfiltered; no sample is paid for."""
    curated = judged(kind, samples())
    assert (len(curated.samples), curated.rejections, curated.steps) == (4, [], {})
    assert curated.judge["agreement"] == 0 and not curated.judge["filters"]
    assert "goes on unfiltered" in curated.judge["verdict"]


def test_a_judge_that_goes_by_the_order_drops_no_pairs(judged: Callable[..., Curated]) -> None:
    """Its scores may be sound all the same."""
    curated = judged(hasty, samples())
    assert [r.reason for r in curated.rejections] == ["poor"]
    assert curated.judge["flips"] == 1 and "no pairs" in curated.judge["verdict"]


def test_what_the_judge_does_not_say_drops_nothing(judged: Callable[..., Curated]) -> None:
    """A lost call is no verdict."""
    curated = judged(mute, samples())
    assert (len(curated.samples), curated.rejections) == (4, [])


def test_tags_are_made_where_they_are_wanted(judged: Callable[..., Curated]) -> None:
    """A judge that may drop nothing may still say what a sample is about."""
    curated = judged(kind, samples(), balance={"by": "difficulty", "most": 1})
    assert {v.name for v in curated.samples[0].verdicts} == {"quality", "task", "difficulty"}
    assert curated.rejections == []


def test_kappa() -> None:
    """A worked example: agreement 0.7, of which 0.5 is chance; and raters without a choice."""
    one = [True] * 25 + [False] * 25
    other = [True] * 20 + [False] * 5 + [True] * 10 + [False] * 15
    assert kappa(one, other) == pytest.approx(0.4)
    assert kappa([True] * 4, [True] * 4) == 0


def test_biases_are_measured_among_answers_of_equal_worth() -> None:
    """A judge that gives long answers and its own model's a point more."""
    golds = [
        Gold(prompt=str(n), answer="a" * (1 + 99 * (n % 2)), good=n % 4 < 2, by="own" if n % 2 else "other")
        for n in range(12)
    ]
    scored = [(gold, (4 if gold.good else 1) + (len(gold.answer) > 50)) for gold in golds]
    found = calibrated(JudgeRules(gold="x"), "own", scored, [])
    assert (found.agreement, found.length_bias, found.self_preference) == (1, pytest.approx(1), 1)
    assert found.flips is None and found.filters and not found.filters_pairs


def test_the_gold_set_is_read_with_its_faults(tmp_path: Path) -> None:
    """File and line of what is wrong; one label alone measures nothing."""
    path = tmp_path / "gold.jsonl"
    path.write_text('{"prompt": "a", "answer": "b", "good": true}\n{"prompt": "a"}\n')
    with pytest.raises(DataError, match=r"gold\.jsonl:2"):
        read_gold(path)
    path.write_text('{"prompt": "a", "answer": "b", "good": true}\n')
    with pytest.raises(DataError, match="not both good and poor"):
        read_gold(path)
    golds = [Gold.model_validate(row) for row in GOLD]
    assert [(good.answer, poor.answer) for good, poor in gold_pairs(golds)][:2] == [("0", "1"), ("1", "2")]
