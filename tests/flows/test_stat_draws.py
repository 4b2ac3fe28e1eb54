"""STAT's training questions: replay's share, the pool at large, and what the writer of questions sees."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from synth.engine import Result
from synth.flows.stat import Params, generate
from synth.flows.stat.draws import at_large, replayed
from synth.flows.stat.pairs import pairs_of
from synth.records import Question
from tests.flows.stat_session import Sessions, rows, teacher

HALF = {"replay": 0.5, "mode": "syn", "draws": 1}


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Sessions]:
    sessions = Sessions(tmp_path)
    yield sessions
    sessions.close()


def wordy(messages: Any, sample: int = 0) -> str:
    """As the exact teacher, but every solution is worded in its own way."""
    said = teacher(messages, sample)
    return said if said.startswith("{") else f"Way {'abc'[sample % 3]}: {said}"


async def test_replay_is_a_share_of_the_examples_and_not_of_the_questions(begin: Sessions) -> None:
    """Three solutions make three examples of one new question: replay keeps up with them, as far as
    the pool goes, and `profile.json` says what came of it."""
    big = {"pool": rows("sums", range(20, 60)) + rows("products", range(20, 60))}
    session = begin(roles={"teacher": wordy}, data=big, **HALF)
    kinds = Counter(sample.meta["kind"] for sample in await generate(session))
    assert kinds == {"syn": 4 * 3, "replay": 4 * 3}
    assert json.loads((session.folder.round(1) / "profile.json").read_text())["made"] == kinds
    small = {"pool": rows("sums", range(20, 24)) + rows("products", range(20, 24))}
    short = begin("short", roles={"teacher": wordy}, data=small, **HALF)
    assert Counter(s.meta["kind"] for s in await generate(short)) == {"syn": 12, "replay": 8}


async def test_the_pool_at_large_is_drawn_whatever_was_failed(begin: Sessions) -> None:
    """As many questions as the other arms draw, each once, mastered skills among them; their solutions
    are rewritten, and replay takes others."""
    session = begin(arm="control-pool", roles={"teacher": wordy}, rewrites=2, **HALF)
    samples = list(await generate(session))
    drawn = [sample for sample in samples if sample.meta["kind"] == "pool"]
    again = [sample for sample in samples if sample.meta["kind"] == "replay"]
    assert len({sample.meta["question"] for sample in drawn}) == 4
    assert {call.agent for sample in drawn for call in sample.lineage.calls} == {"rewrite"}
    assert again and not {s.meta["question"] for s in drawn} & {s.meta["question"] for s in again}
    pool = [Question.of(str(n), "") for n in range(50)]
    seeds = at_large(30, pool, random.Random(0))
    assert len({seed.data["question"] for seed in seeds}) == 30
    rest = replayed(30, pool, seeds, Params(), random.Random(0))
    assert len(rest) == 20, "no question is drawn twice"


@pytest.mark.parametrize(("arm", "seen"), [("faithful", 0), ("fixed", 1)])
async def test_the_published_writer_does_not_see_what_was_failed(
    begin: Sessions, arm: str, seen: int
) -> None:
    """The paper shows it the skill and three references; here it also sees the failed question."""
    asked: list[str] = []

    def noting(messages: Any, sample: int = 0) -> str:
        asked.append(messages[-1]["content"])
        return teacher(messages, sample)

    samples = list(await generate(begin(arm=arm, roles={"teacher": noting}, **HALF)))
    proposals = [text for text in asked if "<skill>" in text]
    assert samples and len(proposals) == 4
    assert {text.count("<failed>") for text in proposals} == {seen}
    assert {text.count("<reference>") for text in proposals} == {3}


def test_the_papers_values_are_the_faithful_arms() -> None:
    """One label, answers at temperature 0.1, no replay; the fixed arm asks three times and greedily."""
    faithful, fixed = Params(arm="faithful"), Params()
    assert (faithful.label_votes, faithful.student_temperature, faithful.replay_share) == (1, 0.1, 0.0)
    assert (fixed.label_votes, fixed.student_temperature, fixed.replay_share) == (3, 0.0, 0.5)
    own = Params(arm="faithful", votes=5, answer_temperature=0.0)
    assert (own.label_votes, own.student_temperature) == (5, 0.0)
    assert (fixed.tau1, fixed.tau2, fixed.samples, fixed.repeats, fixed.words) == (0.85, 0.7, 5, 2, 800)
    assert (fixed.references, fixed.solutions, fixed.agreement, fixed.rewrites) == (3, 3, 2, 3)
    assert (fixed.difficult, fixed.examples, fixed.most_skills, fixed.neighbours) == (500, 9500, 5, 5)
    assert (Params(mode="sel").per_pair, Params(mode="syn").per_pair) == (5, 2)


@pytest.mark.parametrize("arm", ["control-uniform", "control-random"])
def test_controls_draw_from_the_catalogue_where_no_question_is_mapped(arm: str) -> None:
    """Labels there are, but no question with a skill: the controls have something to draw all the same."""
    asked = [Question.of("1 * 2 = ?", "2")]
    failed = Result("s", output={"id": asked[0].id, "question": asked[0].question, "skills": ["doubling"]})
    (pair,) = pairs_of([failed], asked, ["adding", "doubling"], Params(arm=arm), 0)
    assert pair.question_id == asked[0].id and pair.skill in ("adding", "doubling")
