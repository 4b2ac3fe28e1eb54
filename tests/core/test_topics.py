"""The built-in topics: apart where they must be, written about in the number of sections asked for."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from statistics import mean

import pytest

from synth.config import DataSource
from synth.data import overlap, read_questions
from synth.data.topics import kind_of, topics
from synth.errors import DataError
from synth.records import Message, Question
from synth.teachers.sections import one_plus_poisson, one_to_four, strong, weak
from synth.verify import judge
from synth.verify.sections import count_distinct, count_sections, headings


def read(**source: object) -> list[Question]:
    """Questions of the source `topics`."""
    return list(read_questions(DataSource.model_validate({"source": "topics", **source}), base=Path()))


def asked(question: Question) -> list[Message]:
    return [{"role": "user", "content": question.question}]


def topic(question: Question) -> str:
    return question.source.rpartition(":")[2]


def test_training_and_test_share_no_topic() -> None:
    """Not even one asked about in other words; whatever the seeds and sizes."""
    train, test = read(size=900, seed=3), read(size=400, seed=5, split="test")
    assert {topic(question) for question in train}.isdisjoint(map(topic, test))
    assert overlap(train, test) == []
    assert len({question.question for question in train}) == 900


def test_every_topic_comes_once_before_one_comes_again() -> None:
    """Test items are then about different things, as a paired test takes them to be."""
    test = read(size=100, split="test")
    assert len({topic(question) for question in test}) == 100
    assert read(size=100, split="test") == test
    assert read(size=100, split="test", seed=1) != test
    assert {question.family for question in read(size=10, families=["plant"])} == {"plant"}


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"size": 5000}, "only"),
        ({"split": "validation"}, "split"),
        ({"families": ["planet"]}, "planet"),
    ],
)
def test_what_the_topics_cannot_give_is_said(source: dict[str, object], said: str) -> None:
    """A wrong size, split or kind, with what there is."""
    with pytest.raises(DataError, match=said):
        read(**source)


def test_all_topics_are_different_and_have_twelve_sections() -> None:
    """No topic under two kinds; the longest answer is bounded by the sections a kind has."""
    kinds = topics().kinds.values()
    names = [name for kind in kinds for name in kind.topics]
    assert len(names) == len(set(names)) == 360
    assert {len(kind.sections) for kind in kinds} == {12}
    assert {len(sentences) for kind in kinds for sentences in kind.sections.values()} == {3}


def test_strong_writes_a_section_more_than_weak_and_nothing_else() -> None:
    """The pair differs in its delta alone; a second sample is another answer of the same length."""
    for question in read(size=50):
        better, worse, twin = strong(asked(question)), weak(asked(question)), strong(asked(question), 1)
        assert better.startswith(worse + "\n")
        assert [count_sections(text, question) for text in (better, worse, twin)] == [3, 2, 3]
        assert twin != better
        assert {heading.title() for heading in headings(better)} <= set(kind_of(question.question).sections)


def test_warm_up_texts_have_the_numbers_of_sections_they_say() -> None:
    """Uniform over one to four; one and a Poisson number of mean three."""
    questions = read(size=900)
    even = [len(headings(one_to_four(asked(question)))) for question in questions]
    poisson = [len(headings(one_plus_poisson(asked(question)))) for question in questions]
    assert {number: even.count(number) > 180 for number in (1, 2, 3, 4)} == dict.fromkeys((1, 2, 3, 4), True)
    assert mean(poisson) == pytest.approx(4.0, abs=0.2)
    assert min(poisson) == 1


def test_a_question_about_nothing_known_is_refused() -> None:
    """A program must not make up an answer for prompts it was not written for."""
    with pytest.raises(ValueError, match="no built-in topic"):
        strong([{"role": "user", "content": "What is love?"}])


@pytest.mark.parametrize(
    ("text", "sections", "distinct"),
    [
        ("**Use**\nIt helps.\n**Care**\nDry it.", 2, 2),
        ("1. **Use:** It helps.\n2. **Use:** Again.", 2, 1),
        ("## **Use**\n- **Care** it\n  * **Cost**: low", 3, 3),
        ("It is **very** good.\n**\nA * b ** c", 0, 0),
        ("", 0, 0),
    ],
)
def test_headings_are_lines_that_begin_in_bold(text: str, sections: int, distinct: int) -> None:
    """Bold words inside a sentence are none; a heading said twice counts once among the distinct."""
    question = next(islice(read(size=1), 1))
    assert (count_sections(text, question), count_distinct(text, question)) == (sections, distinct)


async def test_headings_of_a_cut_off_answer_count() -> None:
    """Growth against the token limit is growth; other functions give a cut-off response nothing."""
    question = next(islice(read(size=1), 1))
    verifier = "synth.verify.sections:count_sections"
    judged = await judge("**Use**\nIt helps.\n**Care**\nDry", question, verifier, truncated=True)
    assert judged.score == 2.0
    assert (await judge(" ", question, verifier)).score == 0.0
