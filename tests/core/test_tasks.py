"""Procedural questions: right by an independent reckoning, repeatable, and kept apart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from synth.config import DataSource
from synth.data import overlap, question_texts, read_questions
from synth.data.tasks import families
from synth.errors import DataError
from synth.records import Question
from synth.verify import judge


def draw(*names: str, exclude: Collection[str] = (), size: int = 40, seed: int = 0) -> list[Question]:
    source = DataSource(source="tasks", families=names, size=size, seed=seed)
    return list(read_questions(source, base=Path(), exclude=exclude))


def words(text: str) -> list[str]:
    return text.split(": ")[-1].split(", ")


def matrix(question: str) -> list[list[str]]:
    return [line.split() for line in question.splitlines()[1:]]


def rows(entries: list[list[str]]) -> str:
    return "\n".join(" ".join(row) for row in entries)


def arithmetic(question: str) -> str:
    one, sign, other = re.fullmatch(r"(\d+) ([-+*]) (\d+) = \?", question).groups()  # type: ignore[union-attr]
    first, second = int(one), int(other)
    return str({"+": first + second, "-": first - second, "*": first * second}[sign])


def compared(question: str) -> str:
    pick = max if "largest" in question else min
    return pick(question.split("? ")[1].split(", "), key=int)


def looked_up(question: str) -> str:
    *facts, asked = question.removesuffix("?").split(". ")
    [name] = [fact.split(" ", 1)[0] for fact in facts if fact.split(" ", 1)[1] == asked.removeprefix("Who ")]
    return name


def sorted_numbers(question: str) -> str:
    return ", ".join(sorted(words(question), key=int, reverse="descending" in question))


def turned(question: str) -> str:
    """The side that comes to the top pushes the top to the side opposite of where it came from."""
    cube: dict[str, str] = dict(re.findall(r"(top|right|front|left|back|bottom) (\w+)(?=[,.])", question))
    new_top, target = re.findall(r"the (\w+) side is now at the top.*at the (\w+)\?", question, re.S)[0]
    opposite = {"front": "back", "back": "front", "left": "right", "right": "left"}
    ring = [new_top, "top", opposite[new_top], "bottom"]
    came_from = {ring[(place + 1) % 4]: ring[place] for place in range(4)}
    return cube[came_from.get(target, target)]


def weekday(question: str) -> str:
    day = datetime.strptime(re.findall(r"\w+ \d+, \d{4}", question)[0], "%B %d, %Y")
    offset = int(re.findall(r"\b(\d+)(?:-day| days?)", question)[0])
    sign = -1 if re.search(r"before|backward|ago|was", question) else 1
    return (day + timedelta(days=sign * offset)).strftime("%A")


def letters(question: str) -> str:
    letter, text = re.findall(r'letter "(.)" appear in: (.*)\?', question)[0]
    return str(text.lower().count(letter.lower()))


def related(question: str) -> str:
    from reasoning_gym.graphs.family_relationships import FamilyRelationshipsConfig

    story, asked = question.rsplit(". ", 1)
    spouse: dict[str, str] = {}
    parents: dict[str, set[str]] = {}
    for one, other, children in re.findall(
        r"(\w+) is married to (\w+)(?:\. They have (?:a child|children) called ([^.]+))?", story
    ):
        spouse |= {one: other, other: one}
        for child in re.split(r", | and ", children) if children else ():
            parents[child] = {one, other}
    first, second = [name for name in re.findall(r"[A-Z]\w+", asked) if name in {*spouse, *parents}]
    above = {parent for name in parents.get(second, ()) for parent in parents.get(name, ())}
    pair = (
        ("mother", "father") if first in parents.get(second, ()) else
        ("daughter", "son") if second in parents.get(first, ()) else
        ("wife", "husband") if spouse.get(first) == second else
        ("sister", "brother") if parents.get(first) == parents.get(second) else
        ("grandmother", "grandfather") if first in above else ("?", "?")
    )  # fmt: skip
    return pair[first in FamilyRelationshipsConfig().male_names]


ORACLES: dict[str, Callable[[str], str]] = {
    "matrix_spiral": lambda q: " ".join([*matrix(q)[0], *matrix(q)[1][::-1]]),
    "matrix_rotation": lambda q: rows([list(row) for row in zip(*matrix(q)[::-1], strict=True)]),
    "matrix_transpose": lambda q: rows([list(row) for row in zip(*matrix(q), strict=True)]),
    "multiplication": arithmetic,
    "addition": arithmetic,
    "list_reversal": lambda q: ", ".join(words(q)[::-1]),
    "fact_lookup": looked_up,
    "palindrome": lambda q: (lambda c: f"{c[0][0]} {c[1][0]} {c[0][0]}")(
        Counter(q.split(": ")[1].split()).most_common()
    ),
    "number_sorting": sorted_numbers,
    "number_comparison": compared,
    "family_relationships": related,
    "cube_rotation": turned,
    "weekday": weekday,
    "letter_counting": letters,
    "spell_backward": lambda q: q.split(": ")[1][::-1],
    "base_conversion": lambda q: f"{int(q.split()[1]):b}",
}


@pytest.mark.parametrize("name", families())
async def test_answers_are_right_by_an_independent_reckoning(name: str) -> None:
    """A wrong known answer would train and judge the student wrong; several of the package's are."""
    for question in draw(name, seed=5):
        assert question.answer == ORACLES[name](question.question), question.question
        assert question.kind != "choice" or question.answer in question.choices
        bare = await judge(question.answer, question)
        sentence = await judge(f"The answer is {question.answer}.", question)
        assert (bare.correct, bare.strict, sentence.correct, sentence.strict) == (True, True, True, False)


def test_items_carry_their_origin() -> None:
    """Lineage, skill and licence of a procedural item."""
    [question] = draw("addition", size=1, seed=3)
    assert re.fullmatch(r"tasks:addition:3:\d+", question.source)
    assert (question.family, question.skills, question.licence) == ("addition", ("addition",), "Apache-2.0")


def test_the_same_source_gives_the_same_questions() -> None:
    """A resumed run must ask what it asked before."""
    assert draw("addition", "fact_lookup") == draw("addition", "fact_lookup")


def test_neighbouring_seeds_do_not_share_items() -> None:
    """The package seeds item i with seed + i: used as it is, seed 1 repeats seed 0 but for one item."""
    shared = overlap(draw("number_sorting", seed=0), draw("number_sorting", seed=1))
    assert len(shared) <= 2


def test_questions_are_unique_and_none_is_held_out() -> None:
    """Families of small range repeat themselves; training and test sets must stay apart by text."""
    test = draw("multiplication", size=50, seed=1)
    train = draw("multiplication", size=50, seed=2, exclude=[question.question for question in test])
    assert len(question_texts(test)) == len(question_texts(train)) == 50
    assert overlap(train, test) == []


def test_an_exhausted_family_says_how_much_it_has() -> None:
    """There are a hundred products of two digits, not more."""
    with pytest.raises(DataError, match=r"'multiplication' has only 100 different .* and 101 are asked for"):
        draw("multiplication", size=101)


def test_no_answer_takes_more_than_its_share() -> None:
    """Guessing the most frequent count must not pass for counting."""
    questions = draw("letter_counting", size=60)
    assert max(Counter(question.answer for question in questions).values()) <= 0.35 * 60


def test_all_families_are_drawn_unless_some_are_named() -> None:
    """Without names a source means the whole built-in set, `size` of each."""
    assert Counter(question.family for question in draw(size=2)) == dict.fromkeys(families(), 2)


def test_an_unknown_family_names_the_nearest() -> None:
    """A misspelt family is the most frequent fault."""
    with pytest.raises(DataError, match=r"no task family 'additoin'(?s:.)*did you mean 'addition'"):
        draw("additoin")
