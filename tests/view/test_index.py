"""The index holds each record once, whatever the run does meanwhile."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from synth.records import Sample
from synth.view import Index
from synth.view.read import read
from synth.view.search import Filters, facets, find
from tests.core.fake_run import build
from tests.view.conftest import result, settle


def states(index: Index) -> dict[str, int]:
    with index.connect() as db:
        return facets(db).values["state"]


def answers(index: Index, **filters: str) -> list[str]:
    """The answers of the samples found, read from where they stand."""
    with index.connect() as db, index.journal() as journal:
        found = [read(index.run, row, journal) for row in find(db, Filters(**filters)).rows]
    return [one.completion[0]["content"] for one in found if isinstance(one, Sample) and one.completion]


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """A run in the middle of its first stage; what is in its journal comes from the tests."""
    run = build(tmp_path / "run", rounds=1, stop_in="generate")
    with sqlite3.connect(run / "journal.db") as journal:
        journal.execute("DELETE FROM results")
    journal.close()
    return run


def test_every_record_of_every_round_is_there(finished: Path) -> None:
    index = settle(Index(finished))
    assert index.path == finished / "view.db"
    assert states(index) == {"kept": 600, "dropped": 502}
    with index.connect() as db:
        found = facets(db).values
    assert found["round"] == {"1": 551, "2": 551}
    assert found["reason"] == {"disagreed": 296, "unparsed": 122, "duplicate": 66, "truncated": 18}
    assert (found["arm"], sum(found["skill"].values())) == ({"fixed": 1102}, 1102)


def test_a_second_viewer_reads_nothing_anew(finished: Path) -> None:
    """The file beside the run is used again."""
    settle(Index(finished))
    assert Index(finished).refresh() is False


def test_results_appear_while_a_stage_is_at_work(live: Path) -> None:
    """A sample is found as soon as the journal has it, and is not called kept before curation."""
    index = settle(Index(live))
    assert states(index) == {}
    result(live, "one", ("first answer",), ("refused text",))
    settle(index)
    result(live, "two", ("second answer", "third answer"))
    settle(index)
    assert states(index) == {"new": 3, "dropped": 1}
    assert answers(index, q="answ") == ["third answer", "second answer", "first answer"]
    with index.connect() as db:
        assert facets(db).values["stage"] == {"generate": 4}


def test_a_seed_given_another_chance_replaces_what_came_of_its_first(live: Path) -> None:
    """Both where it was the journal's last result, and where others came after it."""
    result(live, "one", refused=("call failed",))
    result(live, "two", refused=("call failed, too",))
    index = settle(Index(live))
    for seed in ("one", "two"):
        with sqlite3.connect(live / "journal.db") as journal:
            journal.execute("DELETE FROM results WHERE seed = ?", (seed,))
        journal.close()
        result(live, seed, (f"answer of {seed}",))
        settle(index)
    assert states(index) == {"new": 2}
    assert answers(index) == ["answer of two", "answer of one"]


def test_curated_data_take_the_place_of_the_journals(live: Path, finished: Path) -> None:
    """No record is there twice once the round's files are written."""
    result(live, "one", ("made",), ("refused",))
    index = settle(Index(live))
    shutil.copytree(finished / "rounds" / "1" / "data", live / "rounds" / "1" / "data", dirs_exist_ok=True)
    settle(index)
    assert states(index) == {"kept": 300, "dropped": 251}
    assert answers(index, q="made") == []


def test_a_run_begun_afresh_is_read_afresh(live: Path, tmp_path: Path) -> None:
    result(live, "one", ("of the first run",))
    index = settle(Index(live))
    shutil.rmtree(live)
    build(live, rounds=1, stop_in="profile")
    settle(index)
    assert states(index) == {}
    with sqlite3.connect(live / "journal.db") as journal:
        journal.execute("UPDATE meta SET value = '1' WHERE key = 'created'")
    journal.close()
    result(live, "two", ("of the second run",))
    settle(index)
    assert answers(index) == ["of the second run"]


def test_torn_and_foreign_lines_are_passed_over(live: Path) -> None:
    """A line that is no sample costs that line alone."""
    sample = Sample.sft([{"role": "user", "content": "q"}], "whole", seed_id="s", flow="f", arm="a", round=1)
    lines = [
        "{not json",
        '{"id": "no sample"}',
        "[]",
        sample.model_dump_json(),
        sample.model_dump_json()[:40],
    ]
    (live / "rounds" / "1" / "data" / "samples.jsonl").write_text("\n".join(lines))
    assert answers(settle(Index(live))) == ["whole"]


def test_where_the_folder_cannot_be_written_the_index_is_elsewhere(finished: Path, tmp_path: Path) -> None:
    """A file in the way stands for a folder without the right to write."""
    run = shutil.copytree(finished, tmp_path / "run", ignore=shutil.ignore_patterns("view.db*"))
    (run / "view.db").mkdir()
    index = settle(Index(run))
    assert run not in index.path.parents
    assert states(index) == {"kept": 600, "dropped": 502}
    index.close()
    assert not index.path.exists()
