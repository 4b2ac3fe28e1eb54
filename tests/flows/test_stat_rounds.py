"""STAT over rounds: votes, caps, history, progress, a new target, and the controls that compare with it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from synth.config import load_flow
from synth.engine.folder import RunFolder
from synth.flows import load_flow_module
from synth.flows.stat import Params, generate
from synth.flows.stat.labels import majority, overlap
from synth.flows.stat.missing import Earlier, MissingSkillProfile, SkillRow
from synth.flows.stat.neighbours import word_vectors
from synth.flows.stat.pairs import progress_of
from synth.flows.stat.plan import plan
from synth.plan import Survey
from synth.progress import make_progress
from synth.records import Message
from synth.rounds.loop import run
from synth.runs.runfiles import read_journal
from synth.teachers.reward import PoolingEndpoint
from tests.flows.stat_session import Sessions, rows, student, tag, teacher
from tests.support.openai_server import ScriptedServer

DRAWN = {"mode": "sel", "rewrites": 0}


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Sessions]:
    sessions = Sessions(tmp_path)
    yield sessions
    sessions.close()


def profile_of(session: Any, number: int = 1) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((session.folder.round(number) / "profile.json").read_text())
    return found


def test_a_majority_is_more_than_half() -> None:
    """Of two votes both must name a skill; the most named comes first."""
    assert majority([["a", "b"], ["b", "c"], ["b", "a"]]) == ["b", "a"]
    assert majority([["a", "b"], ["b"]]) == ["b"]
    assert majority([["b", "a", "b"]]) == ["b", "a"]
    assert overlap([["a", "b"], ["b"], ["b"]]) == pytest.approx((0.5 + 0.5 + 1) / 3)
    assert overlap([["a"]]) is None


async def test_votes_outvote_a_slip(begin: Sessions) -> None:
    """Three independent labels: what one vote alone says is not trained, and a vote that cannot be read
    does not cost the question."""

    def slipping(messages: Sequence[Message], sample: int = 0) -> str:
        text = "".join(message["content"] for message in messages)
        if "<answer>" not in text or sample == 1:
            return teacher(messages[:2], sample)
        if sample == 2 and tag(text, "question").startswith("10"):
            return "unreadable"
        named = ["products", "sums"] if sample == 0 else ["products"]
        return json.dumps({"correct": False, "reason": "", "skills": named})

    session = begin(votes=3, roles={"teacher": slipping}, **DRAWN)
    assert {sample.skills for sample in await generate(session)} == {("products",)}
    labels = profile_of(session)["labels"]
    assert labels["labelled"] == 4
    assert 0.5 < labels["overlap"] < 1


async def test_at_most_so_many_difficult_questions_are_used(begin: Sessions) -> None:
    """The cap is on what is trained for; the profile counts all. Rare labels can be left out."""
    capped = begin("capped", difficult=3, **DRAWN)
    samples = list(await generate(capped))
    assert len({sample.lineage.parents[-1] for sample in samples}) == 3
    assert (profile_of(capped)["difficult"], profile_of(capped)["used"]) == (4, 3)
    assert list(await generate(begin("rare", min_count=5, **DRAWN))) == []


@pytest.mark.parametrize(("mode", "draws"), [("sel", 5), ("syn", 2)])
async def test_draws_are_the_papers_for_each_mode(begin: Sessions, mode: str, draws: int) -> None:
    """Five from the pool, two written, for each pair; a number in the flow file holds for both."""
    assert Params.model_validate({"mode": mode}).per_pair == draws
    assert Params.model_validate({"mode": mode, "draws": 4}).per_pair == 4
    samples = list(await generate(begin(mode=mode, rewrites=0)))
    assert len(samples) == 4 * draws


async def test_rewritten_solutions_must_come_to_the_known_answer(begin: Sessions) -> None:
    """STAT-Sel expands each question by the teacher's rewritings; the faithful arm takes them unread."""

    def rewriting(messages: Sequence[Message], sample: int = 0) -> str:
        said = teacher(messages, sample)
        if "<rewriting>" not in messages[-1]["content"]:
            return said
        return f"Way {sample}: it is {said if sample else 7}."

    kept = {}
    for arm in ("fixed", "faithful"):
        session = begin(arm, roles={"teacher": rewriting}, mode="sel", draws=1, arm=arm)
        samples = list(await generate(session))
        kept[arm] = Counter(sample.completion[0]["content"][:5] for sample in samples if sample.completion)
    assert kept == {
        "fixed": {"Way 1": 4, "Way 2": 4},
        "faithful": {"Way 0": 4, "Way 1": 4, "Way 2": 4},
    }


async def test_a_profile_knows_the_rounds_before(begin: Sessions) -> None:
    """The trend of a skill is read back from earlier profiles of the same set, and of no other."""
    session = begin(data={"target": rows("sums", range(40, 44))}, target_round=3, **DRAWN)
    list(await generate(session))
    session.round = 2
    list(await generate(session))
    products = profile_of(session, 2)["skills"][0]
    assert products["skill"] == "products"
    assert products["earlier"] == [{"round": 1, "asked": 4, "difficult": 4, "missing": 4}]
    session.round = 3
    list(await generate(session))
    target = profile_of(session, 3)
    assert (target["source"], target["asked"], target["skills"][0]["earlier"]) == ("target", 4, [])


async def test_a_new_target_is_profiled_and_the_pool_trained_on(begin: Sessions) -> None:
    """STAT-Con: what fails on the target is trained with pool questions, never the target's own."""

    def weaker(messages: Sequence[Message]) -> str:
        return "0" if messages[-1]["content"].startswith("4") else student(messages)

    target = rows("sums", range(40, 44))
    session = begin(data={"target": target}, roles={"student": weaker}, **DRAWN)
    assert {sample.skills for sample in await generate(session)} == {("products",)}
    session.round = 2
    samples = list(await generate(session))
    assert {sample.skills for sample in samples} == {("sums",)}
    pool = {question.question for question in session.questions("pool")}
    assert {sample.meta["question"] for sample in samples} <= pool
    leaky = begin("leaky", data={"target": target, "pool": target})
    assert leaky.questions("pool") == []


def test_progress_weighs_what_is_being_learnt() -> None:
    """Failures that fell count for more than failures that stood still; none is given up."""

    def row(skill: str, now: int, before: int) -> SkillRow:
        earlier = [Earlier(round=1, asked=10, difficult=before, missing=before)]
        return SkillRow(
            skill=skill, asked=10, difficult=now, missing=now, share=0, low=0, high=1, earlier=earlier
        )

    rows = [row("learning", 5, 9), row("stuck", 9, 9), row("losing", 9, 5)]
    profile = MissingSkillProfile(asked=30, difficult=23, skills=rows)
    assert progress_of(profile) == pytest.approx({"learning": 0.4, "stuck": 0.05, "losing": 0.05})
    assert progress_of(MissingSkillProfile(asked=0, difficult=0, skills=[])) == {}


async def test_embedding_neighbours_by_words_and_by_a_model(begin: Sessions) -> None:
    """The control takes what is near the failed questions. By words, products are near products; a
    model that sees no such thing draws others."""
    near = begin("words", arm="control-embedding", neighbours=3, **DRAWN)
    samples = list(await generate(near))
    assert len(samples) == 4 * 3
    assert {sample.meta["kind"] for sample in samples} == {"near"}

    def numbers(route: str, messages: Any) -> list[float]:
        number = int(messages[-1]["content"].split()[0])
        return [1.0, (number - 10) % 10 / 10]

    async with ScriptedServer(score=numbers) as server:
        embedder = PoolingEndpoint(server.base_url, api="embeddings")
        session = begin("model", arm="control-embedding", neighbours=2, roles={"embedder": embedder}, **DRAWN)
        found = {(s.lineage.parents[-1], s.meta["question"]) for s in await generate(session)}
        await embedder.aclose()
    asked = {question.id: question.question for question in session.questions("profile")}
    assert {(asked[name].split()[0], question.split()[0]) for name, question in found} == {
        (str(10 + n), str(20 + n)) for n in range(4)
    }


async def test_new_questions_by_likeness_name_no_skill(begin: Sessions) -> None:
    """The control writes what STAT-Syn writes, with the nearest questions in view in place of a skill."""
    asked: list[str] = []

    def noting(messages: Any, sample: int = 0) -> str:
        asked.append(messages[-1]["content"])
        return teacher(messages, sample)

    session = begin(arm="control-embed-syn", neighbours=2, references=3, roles={"teacher": noting})
    samples = list(await generate(session))
    assert {sample.meta["kind"] for sample in samples} == {"near-syn"}
    assert len(samples) == 4 * 2 and all(len(sample.lineage.calls) == 4 for sample in samples)
    proposals = [text for text in asked if "<failed>" in text]
    assert len(proposals) == 4 * 2 and len(set(proposals)) == 4
    assert not any("skill" in text for text in proposals)
    assert all(text.count("<reference>") == 3 and text.count(" 2 =") == 4 for text in proposals)


def test_rare_words_count_for_more() -> None:
    """TF-IDF: two texts that share a rare word are nearer than two that share a common one."""
    texts = ["the axolotl", "an axolotl", "the cat", "the dog"]
    vectors = word_vectors(texts)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] > 0
    assert vectors[2] @ vectors[3] > 0


async def test_the_plan_knows_all_stages(begin: Sessions) -> None:
    """`synth plan` counts catalogue, map, votes, scores, rewritings; without training there is nothing."""

    def calls(**params: object) -> dict[str, float]:
        session = begin(str(len(begin.opened)), **params)
        sources = {name: session.questions(name) for name in session.flow.data}
        stages = plan(Survey(session.flow, session.params, sources))
        return {agent.agent: agent.calls for stage in stages for agent in stage.agents}

    assert calls(catalogue="teacher", mode="sel", votes=3, detect="reward", reward_layout="turns") == {
        "name": 20,
        "merge": 2,
        "map": 28,
        "answer": 8,
        "score": 64,
        "label": 24,
        "rewrite": 8 * 5 * 5 * 3,
    }
    assert calls(mode="syn")["propose"] == 8 * 2 * 2
    assert calls(arm="control-none") == {}


FLOW = """flow: stat
models:
  student: {program: "tests.flows.stat_session:student"}
  teacher: {program: "tests.flows.stat_session:teacher"}
data:
  test: &rows {source: rows.jsonl, kind: number, skill: skill}
  profile: *rows
  pool: *rows
with: {arm: control-none}
"""


async def test_without_training_the_same_student_is_examined_twice(tmp_path: Path) -> None:
    """The noise floor: every test question is really asked again, nothing is made or trained, and the
    gate keeps the student whatever it sees."""
    lines = rows("sums", range(10, 14)) + rows("products", range(10, 14))
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in lines))
    (tmp_path / "flow.yaml").write_text(FLOW)
    loaded = load_flow(tmp_path / "flow.yaml", params=lambda name: load_flow_module(name).params)
    folder = RunFolder(tmp_path / "run")
    (decision,) = await run(loaded, folder, make_progress(quiet=True))
    assert (decision.decision, decision.n, decision.difference) == ("keep", 8, 0.0)
    assert "Nothing was trained" in decision.reason
    assert sum(call.calls for call in read_journal(folder.journal).calls) == 2 * 8
    assert not (folder.path / "rounds/1/data").exists()
    assert (folder.path / "report.html").exists()
    again = await run(loaded, folder, make_progress(quiet=True))
    assert again == [decision]
