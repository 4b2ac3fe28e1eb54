"""Makes `report.html` from a run's summary. Everything that comes from data is escaped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from synth import figures
from synth.errors import RunError
from synth.report import charts
from synth.runs.coverage import read_coverage
from synth.runs.overview import RoundSummary, RunSummary, StageSummary
from synth.runs.searches import forest
from synth.runs.summary import summarize

__all__ = ["HERE", "contents", "environment", "render", "write_report"]

HERE = Path(__file__).parent
"""Where the templates and the style sheet are."""


def write_report(folder: Path) -> Path:
    """Write `report.html` into a run folder, however far the run got; returns its path.

    Raises:
        RunError: the folder holds no run, or cannot be written.
    """
    run = summarize(folder)
    settings = folder / "flow.yaml"
    page = render(run, settings.read_text("utf-8") if settings.is_file() else "")
    path = folder / "report.html"
    unfinished = path.with_suffix(".html.part")
    try:
        unfinished.write_text(page, "utf-8")
        unfinished.replace(path)
    except OSError as error:
        raise RunError(
            f"writing the report {path}: {error.strerror}",
            "Make the folder writable or free some disk space.",
        ) from error
    return path


def render(run: RunSummary, settings: str) -> str:
    """The page as text. `settings` is the resolved flow file as it stands."""
    style = Markup((HERE / "style.css").read_text("utf-8"))
    return environment().get_template("report.html.j2").render(**contents(run, settings), style=style)


def environment(*more: Path) -> Environment:
    """The templates, with those of further folders, and the filters that write figures."""
    made = Environment(
        loader=FileSystemLoader([HERE / "templates", *more]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {name: getattr(figures, name) for name in figures.__all__}
    made.filters["wrap"] = _wrap
    made.globals["charts"] = charts
    return made


def contents(run: RunSummary, settings: str) -> dict[str, Any]:
    """What the body of the page, `body.html.j2`, is made of."""
    return {
        "run": run,
        "settings": settings,
        "told": _told(run),
        "at": _at(run),
        "levels": _levels(run),
        "coverage": {r.number: read_coverage(run.folder / "rounds" / str(r.number)) for r in run.rounds},
        "trees": {r.number: forest(run.folder / "rounds", r.number) for r in run.rounds},
    }


def _wrap(name: str) -> Markup:
    """A name that may break after its underscores, slashes and colons."""
    text = str(escape(name))
    for mark in "_/:":
        text = text.replace(mark, f"{mark}<wbr>")
    return Markup(text)


def _levels(run: RunSummary) -> list[charts.Level]:
    """Where the students of all rounds stood, the first round's start before them, if one metric says."""
    decided = [(r.number, r.decision) for r in run.rounds if r.decision]
    if len(decided) < 2 or len({decision.metric for _, decision in decided}) > 1:
        return []
    first = decided[0][1]
    start = charts.Level(decided[0][0] - 1, first.before, first.before_interval, kept=True)
    after = [charts.Level(n, d.after, d.after_interval, d.decision == "promote") for n, d in decided]
    return [start, *after]


def _told(run: RunSummary) -> RoundSummary | None:
    """The round the opening paragraph tells of: the champion's, else the last one decided."""
    decided = [r for r in run.rounds if r.decision]
    promoted = [r for r in decided if r.decision and r.decision.decision == "promote"]
    return next(reversed(promoted or decided), None)


def _at(run: RunSummary) -> tuple[RoundSummary, StageSummary] | None:
    """The stage the run is at, or where it ended without finishing."""
    for current in reversed(run.rounds):
        for stage in reversed(current.stages):
            if stage.status != "done":
                return current, stage
    return None
