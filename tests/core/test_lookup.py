"""`synth show` and the trees of the report: any record of a run is found, told whole, or named missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from synth.cli.main import main
from synth.engine.folder import RunFolder
from synth.errors import RunError
from synth.journal import CallRow, Journal
from synth.records import Call, Lineage, Message, Rejection, Sample, Sampling, Verdict
from synth.report.page import render
from synth.runs.listing import list_records
from synth.runs.lookup import look_up
from synth.runs.summary import summarize
from synth.runs.trees import some_trees

KEY = "0a" * 16
PROMPT: list[Message] = [{"role": "user", "content": "List <b>three</b> colours without commas."}]


def node(response: str, parent: int | None, depth: int, yes: int) -> dict[str, object]:
    votes = [True] * yes + [False] * (5 - yes)
    told = {"reflection": f"why {response}", "critique": "a comma", "checked": yes == 5}
    return {"response": response, "parent": parent, "depth": depth, "value": yes / 5, "votes": votes} | told


@pytest.fixture
async def run(tmp_path: Path) -> Path:
    """Two rounds: round 1 made an example; round 2 a pair from it, with a tree, and a refusal."""
    folder = RunFolder(tmp_path / "run")
    folder.write(folder.flow, b"flow: spar\n")
    shared = {"flow": "spar", "arm": "fixed"}
    early = Sample.sft(PROMPT, "red", seed_id="seed1", round=1, lineage=Lineage(parents=("seed1",)), **shared)
    call = Call(key=KEY, agent="refine", prompt_hash="p", model="m", weights="w", sampling=Sampling())
    pair = Sample.pair(
        PROMPT,
        "red green blue",
        "red, green, blue",
        seed_id="seed2",
        round=2,
        lineage=Lineage(calls=(call, call), parents=(early.id, "elsewhere")),
        verdicts=(Verdict(by="judge", name="value", value=1.0),),
        **shared,
    )
    refused = [
        Rejection(
            seed_id="seed3", round=2, stage="play", node="pair", reason="not-refined", raw="red, green"
        ),
        Rejection(
            seed_id="s", round=2, stage="curate", node="curate", reason="duplicate", data={"sample": "d0b1e"}
        ),
    ]
    for number, sample in ((1, early), (2, pair)):
        folder.write_lines(folder.round(number) / "data" / "samples.jsonl", [sample])
    folder.write_lines(folder.round(2) / "data" / "rejected.jsonl", refused)
    nodes = [node("red, green, blue", None, 0, 0), node("red green, blue", 0, 1, 2)]
    nodes += [node("red green <blue>", 1, 2, 5), node("red", 0, 1, 1)]
    trees = [
        {"seed": "seed2", "sample": pair.id, "instruction": "List", "found": 2, "asked": 4, "nodes": nodes},
        {"seed": "seed3", "sample": None, "found": None, "asked": 3, "nodes": nodes[:2]},
    ]
    folder.write_lines(folder.round(2) / "data" / "trees.jsonl", trees)
    journal = Journal(folder.journal)
    row = CallRow(bytes.fromhex(KEY), "2/play", "refine", "refiner", "m", "w", b"{}", b"{}", 30, 7, 0.1)
    await journal.record(row)
    journal.set_stage(1, "play", "done", {})
    payload = b'{"seed":"seed1","samples":[],"rejections":[],"output":{"instruction":"List colours."}}'
    journal.store_result("1/play", "seed1", 0, 1, 0, payload)
    await journal.flush()
    journal.close()
    return folder.path


def test_a_sample_is_told_with_its_makers_ancestry_and_tree(run: Path) -> None:
    """By the beginning of its id: calls are added up by agent, parents followed to their seeds."""
    [line] = (run / "rounds/2/data/samples.jsonl").read_text().splitlines()
    sample = Sample.model_validate_json(line)
    story = look_up(run, sample.id[:6])
    assert (story.sample, story.round) == (sample, 2)
    [maker] = story.makers
    assert (maker.agent, maker.role, maker.calls, maker.completion_tokens) == ("refine", "refiner", 2, 14)
    early, unknown = story.origins
    assert (early.kind, early.where) == ("sample", "round 1")
    assert (early.origins[0].where, early.origins[0].text) == ("1/play", "List colours.")
    assert (unknown.kind, unknown.origins) == ("data", [])
    assert story.tree is not None
    assert story.tree.path == {0, 1, 2}


def test_what_was_refused_is_found_by_its_seed_or_its_sample(run: Path) -> None:
    """A search without success has no sample, and its tree is what one wants to see."""
    failed = look_up(run, "seed3")
    assert failed.sample is None
    assert [rejection.reason for rejection in failed.rejections] == ["not-refined"]
    assert failed.tree is not None
    assert look_up(run, "d0b").rejections[0].reason == "duplicate"


def test_unknown_and_ambiguous_ids_are_one_clear_error(run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no sample"):
        look_up(run, "ffff")
    with pytest.raises(RunError, match="too short"):
        look_up(run, "s")
    with pytest.raises(RunError, match="no round"):
        look_up(tmp_path, "seed3")
    path = run / "rounds/1/data/samples.jsonl"
    line = path.read_text()
    one = json.loads(line)["id"]
    path.write_text(line.replace(one, one[:5] + "00000000000") + line.replace(one, one[:5] + "11111111111"))
    with pytest.raises(RunError, match=f"2 records begin with '{one[:5]}': {one[:5]}00000000000"):
        look_up(run, one[:5])


def test_the_command_prints_text_and_json(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Everything is there, the way to the chosen response marked, and markup in texts left alone."""
    sample = Sample.model_validate_json((run / "rounds/2/data/samples.jsonl").read_bytes())
    main(["show", str(run), sample.id[:8]])
    said = capsys.readouterr().out
    for part in (
        "<b>three</b>",
        "red, green, blue",
        "value 1.0",
        "refiner",
        "chosen",
        "why red",
        "List colours",
    ):
        assert part in said
    main(["show", str(run), sample.id, "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["sample"]["id"] == told["tree"]["sample"] == sample.id
    main(["show", str(run), "seed3"])
    assert "not-refined in play, pair" in capsys.readouterr().out


def test_an_unknown_id_is_no_traceback(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["show", str(run), "ffff"])
    assert ended.value.code == 5
    assert "ids stand in" in capsys.readouterr().err


def test_the_report_shows_a_success_and_a_failure(run: Path) -> None:
    """Nested lists, escaped, under the figures of the search; a round without trees has no such heading."""
    shown = some_trees(run / "rounds" / "2")
    assert [tree.seed for tree in shown] == ["seed2", "seed3"]
    assert some_trees(run / "rounds" / "1") == []
    figures = {
        "round": 2,
        "responses": {"compared": 20, "judge_yes": 9, "checker_yes": 5, "gap": 0.2},
        "search": {"trees": 15, "found": 12, "found_by_depth": {"1": 8, "2": 4}, "refinements_per_tree": 3.4},
        "pairs": {"kept": 10, "edit": {"median": 0.04}, "ratio": {"median": 1.03}},
        "inference": {"items": 8, "plain": 0.25, "searched": 0.5},
    }
    RunFolder.write_json(run / "rounds" / "2" / "spar.json", figures)
    page = render(summarize(run), "")
    assert page.count("Search trees") == 1
    for told in ("1: 8, 2: 4", ">3.4<", ">4\N{NO-BREAK SPACE}%<", ">1.03<", ">+20.0<", "after the search"):
        assert told in page
    assert "red green &lt;blue&gt;" in page
    assert page.count(">one succeeded") == page.count(">none succeeded") == 1
    assert page.count("<ul>") == page.count("</ul>")


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """A terminal wide enough that no line of a table is broken."""
    monkeypatch.setenv("COLUMNS", "160")
    return lambda: None


def test_a_few_records_are_listed_to_choose_from(run: Path) -> None:
    """`synth show RUN` has ids at hand: the newest kept ones, and one for each reason with its count."""
    found = list_records(run, most=1)
    kept, *dropped = found.records
    assert found.kept >= 1 and kept.reason == ""
    assert look_up(run, kept.id).sample is not None
    assert {one.reason for one in dropped} == {
        rejection.reason for one in dropped for rejection in look_up(run, one.id).rejections
    }
    with pytest.raises(RunError, match="no data of a finished round"):
        list_records(run.parent)
