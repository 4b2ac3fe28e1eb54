"""A run folder is read at any stage of its life, and its report is one safe, readable page."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

import synth.report
from synth.errors import RunError
from synth.journal import CallRow, Journal
from synth.measure.change import Change
from synth.measure.stats import Interval
from synth.records import Rejection
from synth.report import charts, write_report
from synth.runs.excerpts import rejections
from synth.runs.overview import LossPoint, RunSummary
from synth.runs.summary import summarize
from tests.core.fake_run import FLOW, build

STYLE = Path(synth.report.__file__).with_name("style.css").read_text()


class Page(HTMLParser):
    """What a browser would make of a page: its elements with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).replace("\N{NO-BREAK SPACE}", " ").split())

    def all(self, *tags: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.elements if tag in tags]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rounds, the first promoted; the report is written."""
    folder = build(tmp_path_factory.mktemp("runs") / "finished")
    write_report(folder)
    return folder


def page(folder: Path) -> Page:
    return Page(write_report(folder).read_text("utf-8"))


# -- summary ---------------------------------------------------------------------------------


def test_a_finished_run_is_told_in_full(finished: Path) -> None:
    """Counts, times, profile, loss, decisions and excerpts all arrive from their files."""
    run = summarize(finished)
    assert (run.name, run.flow, run.arm, run.state) == ("stat-small", "stat", "fixed", "finished")
    assert (run.champion, run.created) == ("student of round 1", "2025-10-09 08:53 UTC")
    assert [r.decision.decision for r in run.rounds if r.decision] == ["promote", "keep"]
    assert (run.calls, run.prompt_tokens, run.completion_tokens) == (180, 180 * 310, 180 * 95)
    assert run.warnings == []
    first = run.rounds[0]
    generate = first.stages[1]
    assert (generate.name, generate.status, generate.seconds) == ("generate", "done", 212)
    assert (generate.items, generate.kept, generate.rejected, generate.calls) == (1500, 1282, 218, 30)
    assert first.profile and (first.profile.asked, len(first.profile.skills)) == (200, 8)
    assert (first.samples, len(first.loss), first.loss[-1].step) == (300, 300, 300)
    assert first.before and first.decision and first.before.correct == round(360 * first.decision.before)
    assert len({sample.family for sample in first.kept}) == 4
    assert {e.reason for e in first.rejected} == {"disagreed", "unparsed", "duplicate", "truncated"}
    assert Counter(a.gained for a in first.answers) == {True: 2, False: 2}


def test_json_of_a_summary_reads_back(finished: Path) -> None:
    """`synth status --json` can be read by a program, with nothing lost."""
    run = summarize(finished)
    assert RunSummary.model_validate_json(run.model_dump_json()) == run


def test_drops_are_not_counted_twice(finished: Path) -> None:
    """Stages note their drops and the file of rejections repeats them; each counts once."""
    drops = {(d.stage, d.reason): d.count for d in summarize(finished).rounds[0].drops}
    assert drops == {
        ("generate", "disagreed"): 148,
        ("generate", "unparsed"): 61,
        ("curate", "duplicate"): 33,
        ("generate", "truncated"): 9,
    }


@pytest.mark.parametrize(("pid", "state"), [("self", "running"), ("ended", "stopped")])
def test_a_running_run_without_a_process_was_stopped(tmp_path: Path, pid: str, state: str) -> None:
    """After kill -9 the journal still says running; the process does not."""
    folder = build(tmp_path / "run", rounds=1, stop_in="train", state="running")
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    with sqlite3.connect(folder / "journal.db") as journal:
        number = os.getpid() if pid == "self" else child.pid
        journal.execute("UPDATE meta SET value = ? WHERE key = 'pid'", (str(number),))
    run = summarize(folder)
    train = run.rounds[0].stages[-1]
    assert (run.state, train.name, train.status) == (state, "train", state)
    assert (train.seconds is None) is (state == "stopped")


def test_a_run_in_the_middle_has_what_there_is(tmp_path: Path) -> None:
    """The torn last line of a log being written is passed over without a word."""
    run = summarize(build(tmp_path / "run", rounds=1, stop_in="train", state="stopped"))
    here = run.rounds[0]
    assert (len(here.loss), here.samples, here.decision, here.before) == (300, 300, None, None)
    assert run.champion == "base"
    assert run.warnings == []


def test_a_stage_at_work_counts_its_stored_results(tmp_path: Path) -> None:
    """While a stage runs it has noted nothing yet; its stored results tell how far it is."""
    run = summarize(build(tmp_path / "run", rounds=1, stop_in="generate", state="stopped"))
    generate = run.rounds[0].stages[-1]
    assert (generate.items, generate.kept, generate.rejected) == (30, 120, 30)


async def test_the_journal_is_read_while_it_is_written(tmp_path: Path, journal: Journal) -> None:
    """Status works on the journal as the run itself writes it, from beside it."""
    (tmp_path / "flow.yaml").write_text(yaml.safe_dump(FLOW))
    journal.set_meta("state", "running")
    journal.set_meta("pid", str(os.getpid()))
    journal.set_stage(1, "profile", "running", {})
    await journal.record(CallRow(b"k", "1/profile", "a", "teacher", "m", "w", b"{}", b"{}", 12, 5, 0.5))
    run = summarize(tmp_path)
    assert (run.state, run.rounds[0].stages[0].calls, run.prompt_tokens) == ("running", 1, 12)


def test_reading_changes_nothing(finished: Path) -> None:
    """A look at a run must not touch its journal."""
    before = (finished / "journal.db").read_bytes()
    summarize(finished)
    assert (finished / "journal.db").read_bytes() == before


def test_only_a_flow_file_is_a_run_that_has_not_begun(tmp_path: Path) -> None:
    """A run that died before its first stage still has a status and a report."""
    (tmp_path / "flow.yaml").write_text(yaml.safe_dump(FLOW))
    run = summarize(tmp_path)
    assert (run.state, run.rounds, run.champion, run.arm) == ("stopped", [], "base", "fixed")
    assert "no round has begun" in page(tmp_path).text


def test_damaged_files_are_named(tmp_path: Path) -> None:
    """A damaged file is said to be damaged, and the rest is still shown."""
    folder = build(tmp_path / "run", rounds=1)
    (folder / "rounds/1/gate.json").write_text('{"decision": "promo')
    lines = (folder / "rounds/1/data/samples.jsonl").read_text().splitlines()
    (folder / "rounds/1/data/samples.jsonl").write_text("\n".join([lines[0], "not json", *lines[1:]]))
    run = summarize(folder)
    assert run.rounds[0].decision is None
    assert len(run.warnings) == 2
    assert any("samples.jsonl:2: not a Sample" in line for line in run.warnings)
    assert "rounds/1/gate.json: Invalid JSON: EOF while parsing a string" in page(folder).text


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    """A wrong folder or a damaged journal is said in words, with a cure."""
    with pytest.raises(RunError, match=r"neither a flow.yaml nor a journal.db"):
        summarize(tmp_path)
    (tmp_path / "journal.db").write_bytes(b"SQLite format 3\0 and then nothing of the kind" * 40)
    with pytest.raises(RunError, match="reading the journal"):
        summarize(tmp_path)


def test_a_long_loss_curve_is_thinned_with_its_ends(tmp_path: Path) -> None:
    """The page stays small whatever the number of steps."""
    folder = build(tmp_path / "run", rounds=1)
    log = "".join(f'{{"step": {step}, "loss": {1 / step}}}\n' for step in range(1, 20_001))
    (folder / "rounds/1/train/log.jsonl").write_text(log)
    loss = summarize(folder).rounds[0].loss
    assert (len(loss), loss[0].step, loss[-1].step) == (500, 1, 20_000)


# -- report ----------------------------------------------------------------------------------


def test_the_first_paragraph_tells_the_outcome(finished: Path) -> None:
    """What was done and what came of it, with difference, interval, p, n and the decision."""
    text = page(finished).text
    decision = summarize(finished).rounds[0].decision
    assert decision is not None
    assert "Of 360 held-out items it then got 60.8 % right" in text
    assert "+29.7 points (95 % interval +25.0 to +34.7; p < 0.001; " in text
    assert f"{decision.gained} items gained, {decision.lost} lost" in text
    assert "The gate promoted the new student." in text
    assert "the champion is the student of round 1" in text


def test_a_run_that_only_makes_data_tells_of_the_data(tmp_path: Path) -> None:
    """Nobody is compared, so nothing is said of a comparison, a champion or p-values."""
    folder = build(tmp_path / "run", rounds=1, stop_in="train")
    (folder / "flow.yaml").write_text(yaml.safe_dump({**FLOW, "generate_only": True, "rounds": 1}))
    said = page(folder).text
    assert "made 300 samples and dropped 251 records on the way" in said
    assert "No student has been compared" not in said and "Champion" not in said and "Wilson" not in said


def test_what_curation_refused_is_shown_with_its_text(tmp_path: Path) -> None:
    """A reason without the sample says little: its prompt and answers stand in the rejection's data."""
    path = tmp_path / "rejected.jsonl"
    turns = {side: [{"role": "user", "content": f"the {side}"}] for side in ("prompt", "chosen", "rejected")}
    refused = Rejection(seed_id="s", round=1, stage="curate", node="x", reason="duplicate", data=turns)
    path.write_text(refused.model_dump_json() + "\n")
    shown = rejections(path, [])[1][0]
    assert (shown.prompt, shown.answer, shown.against) == ("the prompt", "the chosen", "the rejected")


def test_the_loss_is_told_by_its_running_mean(finished: Path) -> None:
    """One step is noise: the caption has the ends of the line that is drawn."""
    points = [LossPoint(step=step, loss=loss) for step, loss in enumerate([2.0, 1.0, 1.0, 9.0])]
    assert charts.ends(points) == (1.5, 5.0)
    assert "The running mean (the strong line) went from" in page(finished).text


def test_a_failed_stage_says_what_it_failed_of(tmp_path: Path) -> None:
    """The reason is on the page, so nobody has to look for it in a log."""
    folder = build(tmp_path / "run", rounds=1, stop_in="generate", state="stopped")
    with sqlite3.connect(folder / "journal.db") as journal:
        info = '{"error": "the endpoint refused <every> call"}'
        journal.execute("UPDATE stages SET status = 'failed', info = ? WHERE name = 'generate'", (info,))
    assert "failed in generate of round 1: the endpoint refused <every> call." in page(folder).text


@pytest.mark.parametrize(
    ("state", "said"),
    [("stopped", "The run stopped in train of round 1"), ("failed", "The run failed in train of round 1")],
)
def test_an_unfinished_run_says_where_it_is(tmp_path: Path, state: str, said: str) -> None:
    """Without a decision the page claims none."""
    text = page(build(tmp_path / "run", rounds=1, stop_in="train", state=state)).text
    assert said in text
    assert "No student has been compared yet" in text
    assert "The gate" not in text


def test_the_page_needs_nothing_else(finished: Path) -> None:
    """One file: no scripts, no loads, no links but within the page; a policy forbids them too."""
    html = (finished / "report.html").read_text("utf-8")
    found = Page(html)
    assert not found.all("script", "link", "img", "iframe", "object", "embed")
    assert all(a["href"].startswith("#") for a in found.all("a"))
    assert not re.search(r"url\(|@import|https?://|//[a-z]", html)
    policy = next(m for m in found.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert policy["content"].startswith("default-src 'none'")


def test_charts_and_tables_can_be_heard(finished: Path) -> None:
    """Every chart has a title and a label, every header its scope, every link its target."""
    found = page(finished)
    drawn = [svg for svg in found.all("svg") if svg.get("role") == "img"]
    assert len(drawn) > 40
    assert all(svg["aria-label"] for svg in drawn)
    assert len(found.all("title")) == len(drawn) + 1
    assert found.all("th") and all(th["scope"] in ("row", "col") for th in found.all("th"))
    ids = {attributes["id"] for _, attributes in found.elements if "id" in attributes}
    assert {a["href"][1:] for a in found.all("a")} <= ids
    assert found.all("html")[0]["lang"] == "en"


def test_data_cannot_become_markup(tmp_path: Path) -> None:
    """Model output is hostile until escaped: in names, texts, chart labels and settings."""
    evil = '"><script>alert(1)</script><svg onload=x>'
    folder = build(tmp_path / "run", rounds=1)
    for path in (folder / "rounds/1").rglob("*.json*"):
        path.write_text(path.read_text().replace("caesar_cipher", evil.replace('"', r"\"")))
    with (folder / "flow.yaml").open("a") as settings:
        settings.write(f"# {evil}")
    with sqlite3.connect(folder / "journal.db") as journal:
        journal.execute("UPDATE meta SET value = ? WHERE key IN ('name', 'version')", (evil,))
    run = summarize(folder)
    assert evil in {f.family for f in run.rounds[0].decision.families}  # type: ignore[union-attr]
    assert run.warnings == []
    found = page(folder)
    assert not found.all("script")
    assert not any("onload" in attributes for _, attributes in found.elements)
    assert found.text.count("<script>alert(1)</script>") >= 4


def test_colours_can_be_read() -> None:
    """Text reaches the contrast of WCAG AA (4.5 to 1) in light, dark and print."""
    schemes = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    assert len(schemes) == 3
    for scheme in schemes:
        colour = dict(re.findall(r"--(\w+): (#[0-9a-f]{3,6})", scheme))
        for ink in ("ink", "quiet", "after", "good", "bad"):
            assert contrast(colour[ink], colour["paper"]) >= 4.5, (ink, colour)
            assert contrast(colour[ink], colour["wash"]) >= 4.5, (ink, colour)


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours as WCAG 2 defines it."""

    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
        parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def change(before: float, after: float, low: Interval, high: Interval, metric: str = "accuracy") -> Change:
    return Change(
        metric=metric, n=9, before=before, before_interval=low, after=after, after_interval=high, gained=1,
        lost=0, difference=after - before, difference_interval=high, p_value=0.5,
    )  # fmt: skip


def test_mean_scores_have_a_scale_of_their_own() -> None:
    """A score that counts, say, sections is no percentage: the scale holds what it has to."""
    counted = change(2.0, 6.0, Interval(1.5, 2.5), Interval(5.0, 7.2), "score")
    axis = charts.axis_of([counted])
    assert (axis.low, axis.high) == (0, 7.5)
    svg = str(charts.dumbbell(counted, "sections", axis))
    assert re.findall(r'class="dot (\w+)" cx="([\d.]+)%"', svg) == [("before", "26.67"), ("after", "80.00")]
    labels = re.findall(r">([^<>]+)</text>", str(charts.scale((0, 50, 100), axis)))
    assert labels == ["0", "3.75", "7.5"]
    whole = charts.axis_of([change(0.2, 0.4, Interval(0.1, 0.3), Interval(0.3, 0.5), "score")])
    assert (whole.low, whole.high, whole.text(50)) == (0, 1, "0.5")


def test_a_dumbbell_puts_its_dots_where_the_shares_are() -> None:
    """The picture is the number: positions are percentages of one scale."""
    svg = str(charts.dumbbell(change(0.25, 0.75, Interval(0.1, 0.4), Interval(0.6, 0.9)), "a < b"))
    assert re.findall(r'class="dot (\w+)" cx="([\d.]+)%"', svg) == [("before", "25.00"), ("after", "75.00")]
    assert 'x1="60.00%" x2="90.00%"' in svg
    assert "a &lt; b" in svg and "a < b" not in svg


def test_a_loss_curve_spans_its_frame_and_skips_what_is_no_number() -> None:
    """First step left, last step right; one step or a loss of infinity draws nothing wrong."""
    losses = [2.0, float("inf"), 1.0, 0.5]
    svg = str(charts.curve([LossPoint(step=i, loss=loss) for i, loss in enumerate(losses)], "loss"))
    raw = re.findall(r'class="raw" points="([^"]+)"', svg)[0].split()
    assert raw[0].startswith("0.0,") and raw[-1].startswith("1000.0,") and len(raw) == 3
    assert charts.curve([LossPoint(step=1, loss=2.0)], "loss") == ""


@pytest.mark.parametrize(
    ("low", "high", "marks"),
    [(0.31, 2.2, [0.5, 1.0, 1.5, 2.0]), (0, 100, [0, 50, 100]), (3, 3, [3])],
)
def test_ticks_are_round_numbers(low: float, high: float, marks: list[float]) -> None:
    """An axis is marked at values a person would choose."""
    assert charts.ticks(low, high) == marks
