"""The 25 constraint types: what follows each of them, what does not, and where the border is."""

from __future__ import annotations

import time
from typing import Any

import pytest

from synth.errors import DataError
from synth.verify.constraints import CHECKERS, check, constraint, describe, find_constraints
from synth.verify.constraints.check import LONGEST
from synth.verify.constraints.describe import wordings

GERMAN = "Der Hund läuft durch den Garten und bellt die Katze an, die auf dem Baum sitzt."
ENGLISH = "The dog runs through the garden and barks at the cat that sits in the tree."

Case = tuple[str, dict[str, Any], list[str], list[str]]
CASES: list[Case] = [
    (
        "keywords:existence",
        {"keywords": ["tea", "cup"]},
        ["Tea in a CUP", "a cupboard, teapots"],
        ["tea only"],
    ),
    (
        "keywords:frequency",
        {"keyword": "tea", "frequency": 2, "relation": "at least"},
        ["Tea and tea", "teapot, teaspoon, tea"],
        ["tea once"],
    ),
    (
        "keywords:frequency",
        {"keyword": "tea", "frequency": 2, "relation": "less than"},
        ["tea", "none of it"],
        ["tea tea"],
    ),
    (
        "keywords:forbidden_words",
        {"forbidden_words": ["tea", "milk"]},
        ["teapots and coffee"],
        ["some Tea.", "with milk, please"],
    ),
    (
        "keywords:letter_frequency",
        {"letter": "q", "let_frequency": 2, "let_relation": "at least"},
        ["Quite a queue"],
        ["one q"],
    ),
    (
        "keywords:letter_frequency",
        {"letter": "#", "let_frequency": 1, "let_relation": "less than"},
        ["no mark"],
        ["a # b"],
    ),
    ("language:response_language", {"language": "de"}, [GERMAN, "123 !"], [ENGLISH]),
    (
        "length_constraints:number_sentences",
        {"num_sentences": 2, "relation": "at least"},
        ["One here. Two there.", "Really? Yes!"],
        ["Dr. Smith came at 5 p.m. sharp."],
    ),
    (
        "length_constraints:number_sentences",
        {"num_sentences": 2, "relation": "less than"},
        ["Mr. Hill is in."],
        ["He is in. She is out."],
    ),
    (
        "length_constraints:number_paragraphs",
        {"num_paragraphs": 2},
        ["a\n***\nb", "a *** b", "***\na\n***\nb\n***"],
        ["a", "a\n***\n***\nb", "a***b***c"],
    ),
    (
        "length_constraints:number_words",
        {"num_words": 3, "relation": "at least"},
        ["one two three", "it's so"],
        ["one two", "one - two"],
    ),
    (
        "length_constraints:number_words",
        {"num_words": 3, "relation": "less than"},
        ["one two"],
        ["one two three"],
    ),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "then"},
        ["a\n\nThen b", "a\n\n'THEN, b"],
        ["a\n\nthenceforth b", "Then a\n\nb", "a\n\nthen b\n\nc", "a then"],
    ),
    (
        "detectable_content:number_placeholders",
        {"num_placeholders": 2},
        ["[a] and [b]", "[a [b] c] [d]"],
        ["[a] and [b", "[a\nb] [c]"],
    ),
    (
        "detectable_content:postscript",
        {"postscript_marker": "P.S."},
        ["Bye.\nP.S. one more", "Bye. p. s. one more"],
        ["Bye. PS one more"],
    ),
    (
        "detectable_content:postscript",
        {"postscript_marker": "P.P.S"},
        ["x P.P.S. y", "p. p. s"],
        ["x P.S. y"],
    ),
    ("detectable_content:postscript", {"postscript_marker": "NB:"}, ["x\nnb: y"], ["x\nnb y"]),
    (
        "detectable_format:number_bullet_lists",
        {"num_bullets": 2},
        ["* a\n* b", "x\n  - a\n - b\ny"],
        ["* a", "* a\n* b\n* c", "** a\n** b"],
    ),
    (
        "detectable_format:constrained_response",
        {},
        ["My answer is no.", "Well: My answer is maybe. So"],
        ["my answer is no.", "No."],
    ),
    (
        "detectable_format:number_highlighted_sections",
        {"num_highlights": 2},
        ["*a* and *b*", "**a** then *b*"],
        ["*a* and * *", "*a\nb* *c*"],
    ),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "Part", "num_sections": 2},
        ["Part 1\na\nPart 2\nb", "Part1 Part2"],
        ["Part 1 a", "part 1 part 2", "Part one Part two"],
    ),
    (
        "detectable_format:json_format",
        {},
        ['{"a": 1}', "```json\n[1, 2]\n```", "```\n3\n```"],
        ["{a: 1}", 'Here: {"a": 1}'],
    ),
    ("detectable_format:title", {}, ["<<Tea>>\ntext", "a <<b>> c"], ["<Tea>", "<< >>", "<<a\nb>>", "<<>>"]),
    (
        "combination:two_responses",
        {},
        ["a ****** b", "a\n******\nb\n******"],
        ["a", "a ****** a", "a ****** b ****** c", "a ****** ****** b"],
    ),
    (
        "combination:repeat_prompt",
        {"prompt_to_repeat": "Name a tea."},
        ["name a tea. Assam.", "\nName a tea.\n\nAssam"],
        ["Sure. Name a tea."],
    ),
    (
        "startend:end_checker",
        {"end_phrase": "Any questions?"},
        ["So it is. any questions?", '"So it is. Any questions?" '],
        ["Any questions? Ask.", "Any questions"],
    ),
    ("startend:quotation", {}, ['"All of it."', ' "a" and "b" '], ['"', '"open', "'single'"]),
    ("punctuation:no_comma", {}, ["no such mark; none"], ["one, two"]),
    (
        "change_case:capital_word_frequency",
        {"capital_frequency": 2, "capital_relation": "at least"},
        ["NO and YES", "I am OK"],
        ["Only ONE Such"],
    ),
    (
        "change_case:capital_word_frequency",
        {"capital_frequency": 1, "capital_relation": "less than"},
        ["none At All"],
        ["just A"],
    ),
    ("change_case:english_capital", {}, [ENGLISH.upper()], [ENGLISH, GERMAN.upper()]),
    ("change_case:english_lowercase", {}, [ENGLISH.lower()], [ENGLISH, GERMAN.lower()]),
]


@pytest.mark.parametrize(("kind", "args", "good", "bad"), CASES, ids=[case[0] for case in CASES])
def test_strict_verdicts(kind: str, args: dict[str, Any], good: list[str], bad: list[str]) -> None:
    """Each type takes what follows it and refuses what misses it by little."""
    one = [constraint(kind, args, "here")]
    assert [text for text in good if not check(text, one).strict[0]] == []
    assert [text for text in bad if check(text, one).strict[0]] == []


def test_all_types_are_there() -> None:
    """The cases above, the checkers and the wordings cover the 25 published types."""
    assert {case[0] for case in CASES} == set(CHECKERS) == set(wordings())
    assert len(CHECKERS) == 25


def test_loose_forgives_the_frame_and_asterisks_only() -> None:
    """A first line, a last line and Markdown's asterisks may be left out; the middle may not."""
    quoted = [constraint("startend:quotation", {}, "here")]
    framed = 'Sure, here it is:\n"The text."\nAnything else?'
    assert check(framed, quoted).strict == (False,)
    assert check(framed, quoted).loose == (True,)
    assert check('**"The text."**', quoted).loose == (True,)
    assert check('a\nb\n"The text."\nc\nd', quoted).loose == (False,)
    both = check('Sure, yes\n"a"', [*quoted, constraint("punctuation:no_comma", {}, "here")])
    assert both.loose == (True, True) and both.strict == (False, False)


def test_an_empty_or_endless_response_follows_nothing() -> None:
    """Silence has no commas, and yet it is no answer; nor is a text that never ends."""
    one = [constraint("punctuation:no_comma", {}, "here")]
    for response in ("", " \n ", "a" * (LONGEST + 1)):
        assert check(response, one) == check("", one)
        assert check(response, one).loose == (False,)
    assert check("a" * LONGEST, one).strict == (True,)


def test_the_language_of_a_mixed_text_does_not_change_from_call_to_call() -> None:
    """The recogniser draws at random; without its seed verdicts of short texts would differ."""
    one = [constraint("language:response_language", {"language": "de"}, "here")]
    assert len({check("Der garden ist open", one) for _ in range(20)}) == 1


@pytest.mark.parametrize("text", ["[", "<<", "*", "\n", "\n*", "p. ", "a@", ". ", '"', "A.B. "])
def test_a_hostile_text_costs_little_time(text: str) -> None:
    """No pattern goes back over the text again and again, whatever a model repeats."""
    response = (text * LONGEST)[:LONGEST]
    costly = [
        constraint(kind, args, "here") for kind, args, _, _ in CASES if not kind.startswith("change_case:cap")
    ]
    start = time.process_time()
    check(response, costly)
    assert time.process_time() - start < 4


@pytest.mark.parametrize(
    ("kind", "args", "what", "cure"),
    [
        ("keywords:existance", {}, "no constraint type 'keywords:existance'", "'keywords:existence'"),
        ("no_comma", {}, "no constraint type 'no_comma'", "'punctuation:no_comma'"),
        ("keywords:existence", {"keyword": ["a"]}, "'keyword'", "did you mean 'keywords'"),
        ("keywords:existence", {"keywords": []}, "'keywords'", "it takes keywords"),
        ("length_constraints:number_words", {"num_words": 3, "relation": "about"}, "'relation'", "num_words"),
        ("length_constraints:number_words", {"relation": "at least"}, "'num_words'", "num_words"),
        ("startend:quotation", {"mark": "'"}, "'mark'", "it takes none"),
        ("startend:quotation", [], "are list", "none"),
    ],
)
def test_wrong_constraints_are_named(kind: str, args: Any, what: str, cure: str) -> None:
    """An error names the row, what is wrong with it, and what would be right."""
    with pytest.raises(DataError) as caught:
        constraint(kind, args, "prompts.jsonl:7")
    assert caught.value.what.startswith("prompts.jsonl:7: ")
    assert what in caught.value.what
    assert cure in caught.value.cure


def test_arguments_that_are_null_are_left_out() -> None:
    """Tables have every column in every row: what a type does not take is null there."""
    args = {"num_words": 3, "relation": "at least", "keywords": None}
    one = constraint("length_constraints:number_words", args, "here")
    assert one["args"] == {"num_words": 3, "relation": "at least"}


@pytest.mark.parametrize(("kind", "args"), [case[:2] for case in CASES], ids=[case[0] for case in CASES])
def test_a_described_constraint_is_read_back(kind: str, args: dict[str, Any]) -> None:
    """Every wording says the whole constraint: a program finds it again in a prompt."""
    one = constraint(kind, args, "here")
    for wording in range(len(wordings()[kind])):
        said = describe(one, wording)
        assert "{" not in said
        assert find_constraints(f"Tell me about tea. {said} Thank you.") == [one]
    assert describe(one, len(wordings()[kind])) == describe(one)
