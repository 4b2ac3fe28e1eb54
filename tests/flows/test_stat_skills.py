"""STAT's skills: the catalogue and where it comes from, the skill map, and what stands in for scarce ones."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from synth.errors import DataError
from synth.flows.stat import generate
from synth.flows.stat.catalogue import Catalogue, read_catalogue
from synth.flows.stat.pool import Pool
from synth.records import Message, Question
from tests.flows.stat_session import Sessions, rows, tag, teacher

CATALOGUE = "sums: [adding, carrying]\nproducts: [doubling, carrying]\n"


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Sessions]:
    sessions = Sessions(tmp_path)
    yield sessions
    sessions.close()


def file_of(folder: Path, text: str = CATALOGUE) -> str:
    path = folder / "skills.yaml"
    path.write_text(text)
    return str(path)


def test_labels_are_read_as_skills_shown_and_strangers_are_told() -> None:
    """The teacher's spelling does not cost a label, and an invented one is never taken for a skill."""
    catalogue = Catalogue({"sums": ("adding", "carrying"), "products": ("doubling",)})
    labels = ["adding", "Adding ", "carry-ing", "doubling", "juggling"]
    assert catalogue.read(labels, "sums") == (["adding", "carrying"], ["doubling", "juggling"])
    assert catalogue.read(["doubling"], "geography")[0] == ["doubling"]


def test_a_catalogue_is_refused_in_words(tmp_path: Path) -> None:
    """A wrong file names itself and the subject at fault."""
    for text, said in [
        ("sums: adding", "under 'sums'"),
        ("{}", "no subjects"),
        ("a: [", "cannot be read"),
    ]:
        with pytest.raises(DataError, match=said):
            read_catalogue(Path(file_of(tmp_path, text)))
    assert read_catalogue(Path(file_of(tmp_path, "[adding, adding]"))).skills == ("adding",)


async def test_a_catalogue_file_is_mapped_onto_all_questions(begin: Sessions, tmp_path: Path) -> None:
    """Each question is shown its own subject's skills alone; the profile and the samples speak of the
    catalogue's skills, and neither map nor labels ask twice for what they know."""
    shown: dict[str, set[str]] = {}

    def watching(messages: Sequence[Message], sample: int = 0) -> str:
        text = messages[-1]["content"]
        if "<skills>" in text and "<answer>" not in text:
            shown.setdefault(tag(text, "question").split()[1], set()).add(tag(text, "skills"))
        return teacher(messages, sample)

    session = begin(catalogue=file_of(tmp_path), roles={"teacher": watching}, mode="sel", rewrites=0)
    samples = list(await generate(session))
    assert shown == {"+": {"adding\ncarrying"}, "*": {"doubling\ncarrying"}}
    assert {sample.skills for sample in samples} == {("doubling",)}
    assert len(samples) == 4 * 5
    found = json.loads((session.folder.round(1) / "profile.json").read_text())
    assert [(row["skill"], row["asked"], row["missing"]) for row in found["skills"]] == [
        ("doubling", 4, 4),
        ("adding", 4, 0),
    ]
    assert found["labels"]["own_skills"] == 1.0


async def test_the_teacher_makes_a_catalogue_of_the_pool(begin: Sessions) -> None:
    """Names from a sample of the pool are merged by subject, and questions mapped onto the result."""
    session = begin(catalogue="teacher", catalogue_sample=12)
    samples = list(await generate(session))
    rows_of = {row.name: row for row in session.journal.stages()}
    assert rows_of["name"].info["items"] == 12
    assert rows_of["merge"].info["items"] == 2
    assert rows_of["map"].info["items"] == 28
    assert Counter(sample.skills for sample in samples) == {("doubling",): 4 * 2}


async def test_a_merge_that_failed_keeps_the_commonest_names(begin: Sessions) -> None:
    """A catalogue is not lost for one bad reply."""

    def unmerging(messages: Sequence[Message], sample: int = 0) -> str:
        merging = any("<names>" in message["content"] for message in messages)
        return "no" if merging else teacher(messages, sample)

    session = begin(catalogue="teacher", roles={"teacher": unmerging})
    assert {sample.skills for sample in await generate(session)} == {("doubling",)}
    assert Counter(r.reason for r in session.rejections()) == {"unparsed": 2}


def question(skills: str, family: str = "sums") -> Question:
    return Question.of(f"{skills} {family}", "1", skills=tuple(skills), family=family)


def test_scarce_skills_are_stood_in_for_by_subject_then_by_a_neighbour() -> None:
    """A skill with too few questions still gets training questions, near ones, and it is said which."""
    pool = [Question.of(str(n), "1", skills=("a",), family="sums") for n in range(3)]
    pool += [question("ab"), question("cd", "x"), question("ad", "y"), question("d", "z")]
    catalogue = Catalogue({"sums": ("a", "b"), "other": ("c", "d", "e")})
    index = Pool.of(pool, catalogue, min_items=3)
    assert index.stand_ins == {"b": "subject: sums", "c": "skill: d"}
    assert [q.question for q in index.of_skill("c")] == ["cd x", "ad y", "d z"]
    assert Pool.of(pool, catalogue).stand_ins == {}


async def test_the_profile_tells_of_stand_ins_and_the_faithful_arm_has_none(
    begin: Sessions, tmp_path: Path
) -> None:
    """Without a fallback a missing skill that the pool lacks is dropped, and counted."""
    data = {"pool": rows("products", range(20, 30), ["tripling"])}
    text = "sums: [adding]\nproducts: [doubling, tripling]\n"
    fixed = begin("fixed", data=data, catalogue=file_of(tmp_path, text), mode="sel", rewrites=0)
    samples = list(await generate(fixed))
    found = json.loads((fixed.folder.round(1) / "profile.json").read_text())
    assert found["skills"][0]["stand_in"] == "subject: products"
    assert found["skills"][0]["pool"] == 0
    assert len(samples) == 20
    faithful = begin("faithful", data=data, catalogue=file_of(tmp_path, text), mode="sel", arm="faithful")
    assert list(await generate(faithful)) == []
    assert Counter(r.reason for r in faithful.rejections()) == {"no-pool": 20}
