"""STAT's stages on programs in the models' places: what is labelled, drawn, written, kept, dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from synth.config import FlowFile
from synth.engine.folder import RunFolder
from synth.engine.session import Session
from synth.engine.sources import Sources
from synth.errors import DataError
from synth.flows.stat import Params, generate
from synth.flows.stat.make import _unanswered
from synth.journal import Journal
from synth.progress import make_progress
from synth.records import Message, Question, Sample
from synth.teachers.model import Model
from synth.teachers.oracle import solve, task_teacher
from synth.teachers.program import ProgramEndpoint

FAMILIES = ["addition", "list_reversal", "matrix_spiral"]
"""Mastered, sometimes right, never right: see `weak_student`."""
Program = Callable[[Sequence[Message]], str]


def weak_student(messages: Sequence[Message]) -> str:
    """Adds without fault, reverses lists sometimes, never reads a spiral."""
    question = messages[-1]["content"]
    family, answer = solve(question)
    able = family == "addition" or (family == "list_reversal" and len(question) % 2)
    return f"The answer is {answer}." if able else "I do not know."


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., Session]]:
    """A session with the weak student and the exact teacher; keywords are STAT's parameters."""
    opened: list[Journal] = []

    def make(name: str = "run", teacher: Program = task_teacher, **params: object) -> Session:
        tasks = {"source": "tasks", "families": FAMILIES}
        flow = FlowFile.model_validate(
            {
                "flow": "stat",
                "models": {"student": {"program": "x:y"}, "teacher": {"program": "x:y"}},
                "data": {
                    "test": {**tasks, "size": 5, "seed": 1},
                    "profile": {**tasks, "size": 12, "seed": 2},
                    "pool": {**tasks, "size": 40, "seed": 3},
                },
            }
        )
        folder = RunFolder(tmp_path / name)
        folder.open()
        journal = Journal(folder.journal)
        opened.append(journal)
        players = {"student": weak_student, "teacher": teacher}
        models = {
            role: Model(role, role, "w", role, ProgramEndpoint(program), journal)
            for role, program in players.items()
        }
        chosen = Params.model_validate({"draws": 3, **params})
        return Session(
            flow, chosen, folder, journal, models, make_progress(quiet=True), tmp_path / "flow.yaml"
        )

    yield make
    for journal in opened:
        journal.close()


def kinds(samples: list[Sample]) -> Counter[str]:
    return Counter(sample.meta["kind"] for sample in samples)


async def test_the_profile_names_what_the_student_fails(begin: Callable[..., Session]) -> None:
    """Mastered skills get no targeted question; a skill never mastered gets the most."""
    session = begin()
    samples = list(await generate(session))
    targeted = Counter(sample.skills[0] for sample in samples if sample.meta["kind"] == "syn")
    assert targeted["addition"] == 0
    assert targeted["matrix_spiral"] == 12 * 3
    assert 0 < targeted["list_reversal"] < targeted["matrix_spiral"]


async def test_written_questions_are_new_right_and_traced(begin: Callable[..., Session]) -> None:
    """STAT-Syn: every sample's answer is the true one, its verdict says how many solutions agreed,
    and its lineage leads to the calls, the references and the failed question."""
    session = begin()
    samples = [s for s in await generate(session) if s.meta["kind"] == "syn"]
    failed = {question.id for question in session.questions("profile")}
    assert samples
    for sample in samples:
        assert sample.completion is not None
        family, answer = solve(sample.prompt[-1]["content"])
        assert (family, answer) == (sample.family, sample.completion[0]["content"])
        assert sample.verdicts[0].value == 3.0
        assert [call.agent for call in sample.lineage.calls] == ["propose", "solve", "solve", "solve"]
        assert sample.lineage.parents[-1] in failed


async def test_replay_is_half_by_default_and_none_in_the_faithful_arm(begin: Callable[..., Session]) -> None:
    """A small student loses mastered skills without replay; the paper has none."""
    fixed = kinds(list(await generate(begin("fixed"))))
    faithful = kinds(list(await generate(begin("faithful", arm="faithful"))))
    assert fixed["replay"] == fixed["syn"]
    assert faithful["replay"] == 0


async def test_selection_takes_pool_questions_of_the_missing_skill(begin: Callable[..., Session]) -> None:
    """STAT-Sel without rewriting asks the teacher for nothing but labels."""
    session = begin(mode="sel", rewrites=0)
    samples = [s for s in await generate(session) if s.meta["kind"] == "sel"]
    pool = {question.question: question for question in session.questions("pool")}
    assert samples
    assert all(sample.skills[0] == pool[sample.meta["question"]].family for sample in samples)
    assert all(not sample.lineage.calls for sample in samples)


async def test_controls_change_only_what_they_control(begin: Callable[..., Session]) -> None:
    """Uniform skills are about evenly spread; shuffled labels keep their histogram; swapped answers
    keep questions and answers of a family as they are, but not which belongs to which."""
    fixed = list(await generate(begin("fixed")))
    uniform = list(await generate(begin("uniform", arm="control-uniform")))
    shuffled = list(await generate(begin("shuffled", arm="control-shuffled")))
    random = list(await generate(begin("random", arm="control-random")))
    swapped = list(await generate(begin("format", arm="control-format")))
    arms = (fixed, uniform, shuffled, random)
    skills = [Counter(s.skills[0] for s in arm if s.meta["kind"] == "syn") for arm in arms]
    assert skills[1]["addition"] > 0
    assert skills[0] == skills[2] != skills[3]
    assert skills[3]["addition"] > 0 == skills[0]["addition"]
    assert len(uniform) == pytest.approx(len(fixed), abs=2)
    assert Counter(str(s.completion) for s in swapped) == Counter(str(s.completion) for s in fixed)
    right = sum(solve(s.meta["question"])[1] == s.completion[0]["content"] for s in swapped if s.completion)
    assert right < 0.1 * len(swapped)
    assert len({s.id for s in swapped}) == len({str([s.prompt, s.completion]) for s in swapped})


async def test_a_second_call_makes_the_same_samples_and_asks_nobody(begin: Callable[..., Session]) -> None:
    """`generate` after a crash: same samples in the same order, no new call."""
    session = begin()
    first = list(await generate(session))
    session.folder.close()
    calls = 0

    def counting(messages: Sequence[Message]) -> str:
        nonlocal calls
        calls += 1
        return task_teacher(messages)

    again = list(await generate(begin(teacher=counting)))
    assert [sample.id for sample in again] == [sample.id for sample in first]
    assert calls == 0


async def test_solutions_that_disagree_drop_the_question(begin: Callable[..., Session]) -> None:
    """A question without agreement is kept as a rejection with the solutions it got."""

    def undecided(messages: Sequence[Message], sample: int = 0) -> str:
        text = messages[-1]["content"]
        solving = "<failed>" not in text and "<answer>" not in text
        return f"{sample} {sample}" if solving else task_teacher(messages, sample)

    session = begin(teacher=undecided)
    samples = list(await generate(session))
    rejections = list(session.rejections())
    assert kinds(samples)["syn"] == 0
    assert {rejection.reason for rejection in rejections} == {"disagreed"}
    assert "1 of 3 solutions agree" in rejections[0].detail
    assert rejections[0].raw.count("---") == 2


def test_labels_of_one_question_are_not_taken_for_another_ones() -> None:
    """Where every question has choices of its own, a new one's answer is not among its references'."""
    own = [Question.of(f"Who? {name}", name, kind="choice", choices=(name,)) for name in ("Ann", "Bo")]
    same = [Question.of(f"Day {n}?", "Monday", kind="choice", choices=("Monday", "Friday")) for n in range(2)]
    assert (_unanswered("Who?", own).kind, _unanswered("Who?", own).choices) == ("text", ())
    assert _unanswered("Day 3?", same).choices == ("Monday", "Friday")


async def test_a_teacher_that_names_no_known_skill_is_recorded(begin: Callable[..., Session]) -> None:
    """An invented skill trains nothing and is not lost either."""

    def inventive(messages: Sequence[Message], sample: int = 0) -> str:
        if "<answer>" in messages[-1]["content"] and "<failed>" not in messages[-1]["content"]:
            return '{"correct": false, "reason": "", "skills": ["juggling"]}'
        return task_teacher(messages, sample)

    session = begin(teacher=inventive)
    assert list(await generate(session)) == []
    reasons = Counter(rejection.reason for rejection in session.rejections())
    assert set(reasons) == {"no-skill"}


async def test_an_unreadable_reply_is_repaired_once_then_dropped(begin: Callable[..., Session]) -> None:
    """The model is told what was wrong with its JSON; a second failure is a rejection."""
    seen: list[int] = []

    def chatty(messages: Sequence[Message], sample: int = 0) -> str:
        text = messages[-1]["content"]
        if "That is not the JSON asked for" in text:
            seen.append(len(messages))
            good = task_teacher(messages[:2], sample)
            return good if len(seen) % 2 else "no"
        if "<failed>" in messages[-1]["content"]:
            return "Here is a question: 2 + 2?"
        return task_teacher(messages, sample)

    session = begin(teacher=chatty)
    samples = list(await generate(session))
    reasons = Counter(rejection.reason for rejection in session.rejections())
    assert kinds(samples)["syn"] > 0
    assert reasons["unparsed"] > 0
    assert set(seen) == {4}


async def test_data_without_skills_is_refused(begin: Callable[..., Session], tmp_path: Path) -> None:
    """STAT without skills would silently be plain sampling."""
    path = tmp_path / "plain.jsonl"
    path.write_text('{"question": "2+2?", "answer": "4"}\n{"question": "2+3?", "answer": "5"}\n')
    session = begin()
    plain = session.flow.data["pool"].model_copy(update={"source": str(path), "families": ()})
    session.flow = session.flow.model_copy(update={"data": {"pool": plain, "profile": plain}})
    session.sources = Sources(session.flow, session.path.parent)
    with pytest.raises(DataError, match="skills"):
        await generate(session)
