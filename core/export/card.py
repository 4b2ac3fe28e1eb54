"""The card of an export: what is in it, who made it how, what was dropped, under which terms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from synth import __version__
from synth.curation.licences import terms_of
from synth.engine.folder import RunFolder
from synth.export.method import Method, papers_of
from synth.measure.collapse import Collapse
from synth.runs.excerpts import rejections
from synth.runs.runfiles import read_json

__all__ = ["write_card"]

COLLAPSE = "collapse.json"
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def write_card(
    run: Path,
    target: Path,
    facts: Mapping[str, Any],
    families: Counter[str],
    models: Mapping[str, set[str]],
    method: Method,
) -> None:
    """Write `README.md` beside an export; `facts` are those of its `export.json`."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("synth.export", "."),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown, not HTML
    )
    flow = run / "flow.yaml"
    text = environment.get_template("card.md.j2").render(
        facts=facts,
        families=sorted(families.items()),
        models=sorted((agent, sorted(found)) for agent, found in models.items()),
        drops=_drops(run, facts["rounds"]),
        flow=flow.read_text(encoding="utf-8") if flow.is_file() else "",
        licence=_licence(list(facts["licences"]), list(facts["terms"])),
        size=next((name for limit, name in SIZES if facts["rows"] < limit), "n>1M"),
        method=method,
        papers=papers_of(flow),
        varied=list(_varied(run, facts["rounds"])) if facts["learner"] == "student" else [],
        version=__version__,
    )
    RunFolder.write(target / "README.md", text.encode())


def _varied(run: Path, rounds: list[int]) -> Iterator[tuple[int, Collapse]]:
    """How varied the student's data of each round are, where that was measured."""
    for number in rounds:
        if (found := read_json(run / "rounds" / str(number) / COLLAPSE, Collapse, [])) is not None:
            yield number, found


def _drops(run: Path, rounds: list[int]) -> list[tuple[str, str, int]]:
    """Stage, reason and number of the records that were not kept, most frequent first."""
    total: Counter[tuple[str, str]] = Counter()
    for number in rounds:
        counts, _ = rejections(run / "rounds" / str(number) / "data" / "rejected.jsonl", [])
        total.update(counts)
    return [(stage, reason, count) for (stage, reason), count in total.most_common()]


def _licence(names: list[str], terms: list[str]) -> str:
    """As the hub wants it: one licence in small letters, or `other`, as where models' terms bind as well."""
    bound = any(terms_of(name) not in ("public", "free", "unstated") for name in terms)
    return names[0].lower() if len(names) == 1 and names[0] != "unstated" and not bound else "other"
