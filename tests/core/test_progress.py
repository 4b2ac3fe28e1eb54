"""What a run shows of itself: true numbers, few lines, and next to no cost."""

from __future__ import annotations

import asyncio
import io
import sys
import time

import pytest
from rich.console import Console

from synth.errors import BudgetExceeded
from synth.progress import PlainProgress, Progress, Stage, make_progress
from synth.progress.live import LiveProgress


class Clock:
    """Time that passes when told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def plain(clock: Clock) -> tuple[PlainProgress, io.StringIO]:
    stream = io.StringIO()
    return PlainProgress(stream, every=5.0, clock=clock), stream


def test_plain_lines_tell_start_middle_and_end() -> None:
    """A log of a run shows speed, time left, calls in flight and every reason for a drop."""
    clock = Clock()
    progress, stream = plain(clock)
    with progress, progress.stage(1, "generate", 1000) as stage:
        stage.in_flight = 64
        for i in range(400):
            clock.now += 0.025
            stage.advance(tokens=90, dropped_reason="wrong" if i % 40 == 0 else None)
        stage.advance(items=0, dropped_reason="unparsed")
        progress.log("server teacher: restarted")
    assert stream.getvalue().splitlines() == [
        "round 1 generate: started, 1,000 items",
        "round 1 generate: 200 of 1,000, 40/s, 3.6k tokens/s, 20 s left, 64 in flight, 5 dropped (wrong 5)",
        "round 1 generate: 400 of 1,000, 40/s, 3.6k tokens/s, 15 s left, 64 in flight, 10 dropped (wrong 10)",
        "server teacher: restarted",
        "round 1 generate: done in 10 s, 400 of 1,000, 36.0k tokens, 11 dropped (wrong 10, unparsed 1)",
    ]


def test_the_time_left_is_not_told_from_a_single_item() -> None:
    """The first item bears the start of everything: a guess from it alone would be hours off."""
    clock = Clock()
    progress, _ = plain(clock)
    with progress.stage(1, "make", 1000, done=500) as stage:
        clock.now += 9.0
        stage.advance()
        assert not any("left" in fact for fact in stage.facts())
        stage.advance(2)
        assert any("left" in fact for fact in stage.facts())


def test_plain_lines_are_few() -> None:
    """However fast the items, a stage writes at most a line every few seconds."""
    clock = Clock()
    progress, stream = plain(clock)
    with progress.stage(1, "generate", 100_000) as stage:
        for _ in range(60_000):
            clock.now += 0.001
            stage.advance()
    assert len(stream.getvalue().splitlines()) == 2 + 60 // 5


def test_speed_looks_back_a_while_and_not_at_what_was_done_before() -> None:
    """After a resume or a slow start the time left follows the speed of now."""
    clock = Clock()
    stage = Stage(1, "generate", 2000, done=500, log=print, clock=clock)
    for _ in range(60):
        clock.now += 1
        stage.advance(items=2)
        stage.speed()
    assert stage.speed()[0] == pytest.approx(2.0)
    for _ in range(60):
        clock.now += 1
        stage.advance(items=10)
        stage.speed()
    assert stage.speed()[0] == pytest.approx(10.0, rel=0.02)
    assert stage.counted() == "1,220 of 2,000"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (None, "done"),
        (ValueError("no"), "failed"),
        (KeyboardInterrupt(), "stopped"),
        (asyncio.CancelledError(), "stopped"),
        (BudgetExceeded("tokens spent"), "stopped"),
    ],
)
def test_a_stage_notes_how_it_ended(error: BaseException | None, status: str) -> None:
    """What a person asked for is no failure, and the error goes on to who must know."""
    progress, stream = plain(Clock())
    try:
        with progress.stage(2, "train", 10) as stage:
            if error is not None:
                raise error
    except BaseException as raised:
        assert raised is error
    assert stage.status == status
    assert f"round 2 train: {status} in 0.0 s" in stream.getvalue()


def test_training_is_followed_by_its_log() -> None:
    """Steps, tokens and loss come from the lines the training process writes."""
    clock = Clock()
    progress, stream = plain(clock)
    with progress.stage(1, "train", None) as stage:
        for step in range(1, 7):
            clock.now += 1
            stage.loss({"step": step, "steps": 12, "loss": 2 / step, "tokens": 500 * step})
    assert "5 of 12, 1/s, 500 tokens/s, 7.0 s left, loss 0.400" in stream.getvalue()
    assert (stage.done, stage.total, stage.tokens) == (6, 12, 3000)


def test_quiet_writes_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """Quiet means quiet, on both streams."""
    with make_progress(quiet=True) as progress, progress.stage(1, "generate", 3) as stage:
        stage.advance(dropped_reason="wrong")
        stage.note("loss 0.3")
        stage.log("a line")
    assert capfd.readouterr() == ("", "")


def test_everything_goes_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    """Standard output belongs to results."""
    with make_progress() as progress, progress.stage(1, "generate", 3) as stage:
        stage.advance(3)
    out, err = capfd.readouterr()
    assert out == ""
    assert "round 1 generate: done" in err


def test_the_live_view_leaves_piped_output_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """`synth run --json > file` gets its output while the view is up."""
    with LiveProgress(Console(file=io.StringIO(), force_terminal=True)) as progress:
        progress.stage(1, "generate", 3)
        print("a result")
    assert capsys.readouterr().out == "a result\n"


def test_a_stream_that_is_gone_does_not_end_the_run() -> None:
    """`synth run 2>&1 | head` must not kill the run behind it."""

    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    with PlainProgress(Gone()) as progress, progress.stage(1, "generate", 3) as stage:
        stage.advance()
    assert stage.status == "done"


@pytest.mark.parametrize(
    ("environment", "live"),
    [({}, True), ({"CI": "true"}, False), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
)
def test_the_display_fits_the_place(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], live: bool
) -> None:
    """Live on a terminal, plain where someone asked for it."""
    for name in ("CI", "NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert isinstance(make_progress(), LiveProgress) is live
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    assert isinstance(make_progress(), PlainProgress)


def test_the_live_view_shows_the_round() -> None:
    """Stages over and at work, with count, drops and note; a round that is over stays above."""
    console = Console(file=io.StringIO(), force_terminal=True, width=100, color_system=None)
    with LiveProgress(console) as progress:
        with progress.stage(1, "profile", 200) as stage:
            stage.advance(200, tokens=9000)
        with progress.stage(1, "train", None) as stage:
            stage.note("loss [0.31]")
            stage.advance(640, dropped_reason="too-long")
            with console.capture() as captured:
                console.print(progress.view())
            shown = captured.get()
            progress.log("kept [bold] as it is")
        progress.stage(2, "profile", 10)
        with console.capture() as captured:
            console.print(progress.view())
    assert "200 items · 9.0k tokens" in shown
    assert "1 dropped (too-long 1)" in shown and "loss [0.31]" in shown
    assert "round 2" in captured.get() and "train" not in captured.get()
    written = console.file.getvalue()  # type: ignore[attr-defined]
    assert "kept [bold] as it is" in written


def live() -> LiveProgress:
    return LiveProgress(Console(file=io.StringIO(), force_terminal=True, width=100))


@pytest.mark.parametrize("make", [lambda: PlainProgress(io.StringIO()), live])
def test_counting_costs_microseconds(make) -> None:  # type: ignore[no-untyped-def]
    """The engine counts a thousand items a second and must not notice."""
    progress: Progress = make()
    with progress, progress.stage(1, "generate", 100_000) as stage:
        best = min(timed(stage) for _ in range(10))
    assert best < 10e-6


def timed(stage: Stage, times: int = 2000) -> float:
    start = time.perf_counter()
    for _ in range(times):
        stage.advance(tokens=90, dropped_reason="wrong")
    return (time.perf_counter() - start) / times
