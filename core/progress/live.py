"""Progress on a terminal: the round's stages, redrawn a few times a second by rich's own thread."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from synth.figures import compact, count, duration
from synth.progress.stage import Stage
from synth.terminal import harmless

__all__ = ["LiveProgress"]

STYLES = {"done": "green", "failed": "bold red", "stopped": "yellow", "running": "bold"}


class LiveProgress:
    """Shows the stages of the round at work; a round that is over scrolls up and stays."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._stages: list[Stage] = []
        self._live = Live(
            console=self._console,
            get_renderable=self.view,
            refresh_per_second=4,
            redirect_stdout=sys.stdout.isatty(),  # what is piped elsewhere must arrive there
        )

    def stage(self, round: int, name: str, total: int | None = None, done: int = 0) -> Stage:
        """Begin a stage; the first of another round leaves the last one's list above."""
        if self._stages and self._stages[0].round != round:
            over, self._stages = self._stages, []
            self._console.print(_view(over))
        stage = Stage(round, name, total, done, log=self.log)
        self._stages = [*self._stages, stage]
        self._live.start()
        return stage

    def log(self, text: str) -> None:
        """Print one line above the view."""
        self._console.print(harmless(text), markup=False, highlight=False)

    def view(self) -> RenderableType:
        """What is shown right now."""
        return _view(self._stages)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()


def _view(stages: list[Stage]) -> RenderableType:
    if not stages:
        return Text()
    table = Table.grid(padding=(0, 2))
    width = max(len(stage.name) for stage in stages)
    table.add_column(width=7)
    table.add_column(width=max(10, width))
    table.add_column()
    for stage in stages:
        table.add_row(
            Text(stage.status, STYLES[stage.status]),
            stage.name,
            _at_work(stage) if stage.status == "running" else _over(stage),
        )
    return Group(Text(f"round {stages[0].round}", "bold"), table)


def _at_work(stage: Stage) -> RenderableType:
    """The bar with its count, then speed and time left, drops, and the note."""
    bar = Table.grid(padding=(0, 2))
    bar.add_column(width=30)
    bar.add_column()
    bar.add_row(
        ProgressBar(total=stage.total, completed=stage.done, width=30, pulse=stage.total is None),
        f"{stage.counted()}  {duration(stage.seconds)}".strip(),
    )
    lines = [" · ".join(stage.facts()), stage.drops(), harmless(stage.text)]
    return Group(bar, *(Text(line, "dim", overflow="ellipsis", no_wrap=True) for line in lines if line))


def _over(stage: Stage) -> RenderableType:
    tokens = f"{compact(stage.tokens)} tokens" if stage.tokens else ""
    done = f"{count(stage.done)} items" if stage.done else ""
    said = [duration(stage.seconds), done, tokens, stage.drops()]
    if stage.status != "done":
        said.append(stage.text)
    return Text(" · ".join(part for part in said if part), "dim")
