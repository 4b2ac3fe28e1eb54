"""What is looked for is found, page by page, without loss and without repetition."""

from __future__ import annotations

from pathlib import Path

import pytest

from synth.view import Index
from synth.view.search import PAGE, Filters, beside, find, named
from synth.view.words import difference, passage
from tests.view.conftest import settle


@pytest.fixture(scope="module")
def index(finished: Path) -> Index:
    return settle(Index(finished))


def total(index: Index, **filters: str) -> int | None:
    with index.connect() as db:
        return find(db, Filters(**filters)).total


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"q": "caesar"}, 600 + 2 * 32),
        ({"q": "CAESAR cipher WOR"}, 600),
        ({"q": '"letters moved past"'}, 600),
        ({"q": '"moved letters past"'}, 0),
        ({"q": "strawberry", "reason": "duplicate"}, 66),
        ({"q": "caesar", "skill": "chain_sum"}, 2 * 38),
        ({"state": "dropped", "round": "2", "stage": "curate"}, 33),
        ({"state": "kept", "learner": "student", "arm": "fixed"}, 600),
        ({"round": "7"}, 0),
        ({"q": "no_such_word"}, 0),
        ({"q": '"'}, 1102),
        ({"q": "AND NOT ( * ^ caesar:"}, 0),
    ],
)
def test_words_and_filters_narrow_together(index: Index, filters: dict[str, str], expected: int) -> None:
    """Words by their beginnings, phrases in quotes; signs that a query language would use are only text."""
    assert total(index, **filters) == expected


def test_an_id_is_found_by_its_beginning(index: Index) -> None:
    with index.connect() as db:
        row = find(db, Filters(state="kept")).rows[0]
        assert row.name in {one.name for one in find(db, Filters(q=row.name[:10])).rows}
        assert named(db, row.name) == row
        assert named(db, "nobody") is None


@pytest.mark.parametrize("filters", [{}, {"q": "caesar"}, {"skill": "chain_sum", "state": "kept"}])
def test_pages_cover_everything_once_in_both_directions(index: Index, filters: dict[str, str]) -> None:
    asked = Filters(**filters)
    with index.connect() as db:
        page, seen = find(db, asked), []
        assert not page.newer
        while True:
            seen += [row.id for row in page.rows]
            if not page.older:
                break
            page = find(db, asked, after=page.rows[-1].id)
            assert page.newer
        assert len(seen) == page.total == len(set(seen))
        assert seen == sorted(seen, reverse=True)
        back = [row.id for row in page.rows]
        while page.newer:
            page = find(db, asked, before=page.rows[0].id)
            back = [row.id for row in page.rows] + back
        assert back == seen
    assert len(seen) > PAGE


def test_neighbours_are_those_of_what_was_found(index: Index) -> None:
    asked = Filters(skill="chain_sum")
    with index.connect() as db:
        first, second, third = find(db, asked).rows[:3]
        assert beside(db, asked, second.id) == (first.name, third.name)
        assert beside(db, asked, first.id)[0] == ""


def test_a_passage_shows_what_was_looked_for() -> None:
    """Far into a long text, marked, and escaped."""
    text = "word " * 200 + "<b>needle</b> " + "word " * 200
    shown = passage(text, ["need"])
    assert "<mark>need</mark>le" in shown
    assert "&lt;b&gt;" in shown
    assert "<b>" not in shown
    assert len(passage(text, [])) < 260


def test_a_pairs_difference_is_marked_on_both_sides() -> None:
    better, worse = difference("a <i> small house", "a <i> large house, old")
    assert better == "a &lt;i&gt; <ins>small</ins> house"
    assert worse == "a &lt;i&gt; <del>large</del> house<del>, old</del>"
    long = "word " * 5000
    assert difference(long, "other")[1] == "other"
