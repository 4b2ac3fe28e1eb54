"""SPaR's small parts: verdict parsers, marks, faults of pairs, caps, prompt evolution."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from synth.agents import load_prompt
from synth.errors import DataError
from synth.flows.spar import round_prompts
from synth.flows.spar.evolve import read_taxonomy
from synth.flows.spar.judgement import Judgement, anchored, lenient
from synth.flows.spar.marks import before_marks, between_marks
from synth.flows.spar.pairs import Pair
from synth.flows.spar.params import Params
from synth.flows.spar.refiner_data import Candidate, chosen_ids
from synth.flows.spar.sample import Response, pick
from synth.records import Question


@pytest.mark.parametrize(
    ("text", "published", "fixed"),
    [
        ("All met.\nFinal Judgement: Yes", True, True),
        ("One comma.\n**Final Judgement: No**\n", False, False),
        ("Final judgment: yes.", None, True),
        ("All met.\n### Final Judgement:\n\n**Yes**", True, True),
        ("The final judgement is: No", None, None),
        ("Final Judgement is No", False, False),
        # the hint repeated: the first match is a Yes nobody meant
        ("Final Judgement (Yes or No): No", True, None),
        ("My Final Judgement will be Yes or No.\nFinal Judgement: No", True, False),
        # "No" inside another word
        ("Final Judgement\nNote that all is met: Yes", False, None),
        ("Nothing is missing. Final Judgement: Yes", True, None),
        ("The answer is Yes", None, None),
        ("Final Judgement: it depends", None, None),
    ],
)
def test_verdicts(text: str, published: bool | None, fixed: bool | None) -> None:
    """The published parser takes the first match it finds, in words and in an echoed hint, too;
    the repaired one takes the last line or nothing."""
    assert lenient(text) is published
    assert anchored(text) is fixed


def test_a_judgement_keeps_the_first_critique_of_its_majority() -> None:
    """Ties have no verdict and no critique; unreadable votes do not count."""
    yes, no = True, False
    judgement = Judgement.of([None, no, yes, yes, None], ["a", "b", "c", "d", "e"])
    assert (judgement.verdict, judgement.critique, judgement.value) == (True, "c", 2 / 3)
    assert judgement.contested == "yes"
    assert Judgement.of([no] * 5).contested is None
    tie = Judgement.of([yes, no, None], ["a", "b", "c"])
    assert (tie.verdict, tie.value, tie.critique, tie.contested) == (None, None, "", None)


def test_marks_are_read_from_the_last_ones_that_are_whole() -> None:
    """A reflection may speak of the marks; an answer that was cut off is none."""
    said = "I put it between [[start]] and [[end]].\n[[start]]\n the text \n[[end]]"
    assert between_marks(said) == "the text"
    assert before_marks("why\n[[start]]x[[end]]") == "why"
    assert between_marks("[[start]] the te") is None
    assert between_marks("[[start]] [[end]]") is None
    assert between_marks("x [[end]]") is None


def pair(chosen: str, rejected: str) -> Pair:
    return Pair(chosen, rejected, 1.0, 1, False, ())


def test_pairs_are_looked_over() -> None:
    """A refinement is to change little; what is dropped for it depends on the arm."""
    text = "a plain answer, with a comma in it, and more"
    params = Params(arm="fixed")
    assert pair(text.replace(",", ""), text).faults(params) == []
    assert pair("something else of no resemblance at all.", text).faults(params) == ["edit-distance"]
    refuted = (Pair("a b", "a, b", 1.0, 1, False, (), *said) for said in ((False, False), (True, True)))
    assert [one.faults(params) for one in refuted] == [["refuted"], ["refuted"]]
    assert Pair("a, b and c", "a, b, c", 1.0, 1, False, (), True, False).faults(params) == []
    assert pair(text + text + text, text).faults(params) == ["edit-distance", "length-ratio"]
    assert Params(arm="faithful").drops == Params(arm="faithful").lint_drop == ()
    assert Params(arm="faithful", lint_drop=["identical"]).lint_drop == ("identical",)
    assert "edit-distance" not in Params(arm="control-independent").drops
    assert (pair("", "ab").edit, pair("", "ab").ratio) == (1.0, 2.0)


def test_answers_cut_off_are_not_picked_where_their_pairs_would_be_dropped() -> None:
    """What the token limit cut off fails every exam, and its refinement would be cut off as well; what the
    rules find right is nothing to mend."""
    failed = Judgement.of([False])
    cut, whole = Response("a, b", True, "", failed), Response("a, b.", False, "", failed)
    tied = Response("c", False, "", Judgement.of([None]))
    chance = random.Random(0)
    assert {pick([cut, whole, tied], False, Params(arm="fixed"), chance) for _ in range(20)} == {1}
    assert {pick([cut, whole, tied], False, Params(arm="faithful"), chance) for _ in range(20)} == {0, 1}
    assert pick([cut, tied], False, Params(arm="fixed"), chance) is None
    fine = Response("a b.", False, "", failed, checked=True)
    assert {pick([fine, whole], False, Params(arm="fixed"), chance) for _ in range(20)} == {1}
    assert {pick([fine, whole], False, Params(arm="faithful"), chance) for _ in range(20)} == {0, 1}
    assert pick([whole], True, Params(arm="fixed"), chance) is None


def test_refiner_data_is_capped_by_kind_and_never_asks_the_same_twice() -> None:
    """A refinement and a critique of the same response share their first turn: one of them stays."""
    refine = [Candidate(f"r{i}", "refine", f"f{i}") for i in range(6)]
    judged = [Candidate(f"j{i}", "judge-no", f"f{i}") for i in range(3)]
    other = [Candidate(f"o{i}", "judge-no", f"g{i}") for i in range(9)]
    caps = {"refine": 6, "judge-no": 4}
    ids, counts = chosen_ids([*judged, *refine, *other], caps, random.Random(0))
    assert {f"r{i}" for i in range(6)} <= ids
    assert not ids & {"j0", "j1", "j2"}
    assert counts == {"refine": 6, "judge-no": 4}
    assert chosen_ids([*judged, *refine, *other], caps, random.Random(0))[0] == ids


def test_the_papers_values_are_the_defaults() -> None:
    """Five samples, five votes, BFS of branch 3, keep 2 and depth 3, caps of 9,500 in all."""
    params = Params(arm="faithful")
    limits = params.limits
    assert (params.responses, params.votes, params.prompts) == (5, 5, 10_000)
    assert (limits.order, limits.branch, limits.keep, limits.depth) == ("bfs", 3, 2, 3)
    assert (limits.budget, limits.gate, limits.most) == (1000, 0.5, 15)
    assert sum(params.caps.values()) == 9500
    assert params.rejudge_actor == 0


def test_the_taxonomy_has_three_roots_and_fourteen_categories(tmp_path: Path) -> None:
    """One of one's own takes its place; a file that is none is named in the error."""
    categories = read_taxonomy()
    assert len(categories) == 14
    assert {category.root for category in categories} == {"format", "content", "general"}
    own = tmp_path / "own.yaml"
    own.write_text("form: {rhyme: lines that rhyme}\n")
    assert [category.name for category in read_taxonomy(own)] == ["rhyme"]
    own.write_text("- rhyme\n")
    with pytest.raises(DataError, match=r"own\.yaml"):
        read_taxonomy(own)


def test_rounds_take_turns_with_the_prompts() -> None:
    """A round goes on where the last one ended and begins anew at the end; the order is the run's."""
    pool = [Question.of(str(i), "") for i in range(5)]
    first, second, third = (round_prompts(pool, 2, number, 7) for number in (1, 2, 3))
    texts = [question.question for question in (*first, *second, *third)]
    assert sorted(texts[:5]) == ["0", "1", "2", "3", "4"]
    assert texts[5] == texts[0]
    assert {q.question for q in round_prompts(pool, 9, 1, 7)} == {"0", "1", "2", "3", "4"}


def test_prompts_show_instruction_and_response_between_lines_of_their_own() -> None:
    """What plays the judge or the refiner finds both there, and no verdict to be echoed by itself."""
    [asked] = load_prompt("judge_response").render(instruction="Say\nhi.", response="Hi,")
    assert "\n<instruction>\nSay\nhi.\n</instruction>\n" in asked["content"]
    assert "\n<response>\nHi,\n</response>\n" in asked["content"]
    assert anchored(asked["content"]) is None
    [refine] = load_prompt("refine_response").render()
    assert "[[start]] and [[end]]" in refine["content"]
