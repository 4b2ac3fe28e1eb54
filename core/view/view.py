"""What a page of the viewer holds, read in the thread that asks for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from synth.errors import RunError
from synth.records import Message, Rejection, Sample
from synth.report.page import HERE as REPORT
from synth.report.page import contents, environment
from synth.runs.explain import Explanation, explained
from synth.runs.lookup import Find, story_of
from synth.runs.overview import RunSummary
from synth.view import search
from synth.view.entry import rejection_entry, sample_entry
from synth.view.index import Index
from synth.view.read import read
from synth.view.search import Facets, Filters, Row
from synth.view.words import difference, passage

__all__ = ["View"]


@dataclass(frozen=True)
class Card:
    """A record in the list."""

    row: Row
    tags: tuple[str, ...]
    asked: Markup
    answered: Markup


class View:
    """Makes the pages of one run. Raises `sqlite3.Error` and `RunError` where it cannot be read."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self.run = index.run
        self._templates = environment(REPORT.parent / "view" / "templates")
        self._facets: tuple[int, Facets] = (-1, Facets(0, {}))

    def overview(self, summary: RunSummary, part: bool) -> str:
        """The report's page, or only what is in it."""
        settings = self.run / "flow.yaml"
        text = settings.read_text("utf-8") if settings.is_file() else ""
        return self._page("overview", part, here="overview", summary=summary, **contents(summary, text))

    def records(self, filters: Filters, version: int, edges: tuple[int, int], part: bool, name: str) -> str:
        """The list of records, after or before the numbers in `edges`; or only what was found."""
        with self.index.connect() as db, self.index.journal() as journal:
            facets = self._known(db, version)
            page = search.find(db, filters, *edges)
            cards = [self._card(row, filters, journal) for row in page.rows]
        return self._page(
            "found" if part else "records",
            part,
            here="records",
            title=name,
            filters=filters,
            facets=facets,
            page=page,
            most=search.COUNTED,
            cards=cards,
        )

    def record(self, name: str, filters: Filters, title: str) -> str | None:
        """One record with all that is known of it; None if there is none of this name."""
        with self.index.connect() as db, self.index.journal() as journal:
            row = search.named(db, name)
            if row is None:
                return None
            found = read(self.run, row, journal)
            newer, older = search.beside(db, filters, row.id)

            def find(parent: str) -> tuple[int, Sample] | None:
                row = search.named(db, parent)
                sample = read(self.run, row, journal) if row else None
                return (row.round, sample) if row and isinstance(sample, Sample) else None

            told, trouble = self._told(row, found, find)
        sample = found if isinstance(found, Sample) else None
        rejection = found if isinstance(found, Rejection) else None
        return self._page(
            "record",
            False,
            here="record",
            title=title,
            filters=filters,
            row=row,
            newer=newer,
            older=older,
            told=told,
            trouble=trouble,
            sample=sample,
            rejection=rejection,
            prompt=sample.prompt if sample else _turns(rejection, "prompt"),
            answer=(sample.completion if sample else _turns(rejection, "completion")) or [],
            pair=_pair(sample, rejection),
        )

    def error(self, said: str) -> str:
        """A page that says what went wrong."""
        return self._page("error", False, here="error", title=self.run.name, said=said)

    def _page(self, name: str, part: bool, **values: Any) -> str:
        return self._templates.get_template(f"{name}.html.j2").render(part=part, **values)

    def _known(self, db: sqlite3.Connection, version: int) -> Facets:
        """What there is to filter by, counted once for each state of the index."""
        if self._facets[0] != version:
            self._facets = version, search.facets(db)
        return self._facets[1]

    def _card(self, row: Row, filters: Filters, journal: sqlite3.Connection | None) -> Card:
        found = read(self.run, row, journal)
        if found is None:
            return Card(row, (), Markup("<em>being written anew</em>"), Markup(""))
        plain = found.model_dump(mode="json")
        entry = sample_entry(plain, "", "") if isinstance(found, Sample) else rejection_entry(plain, "")
        sought = search.words(filters.q)
        return Card(row, entry.tags, passage(entry.asked, sought), passage(entry.answered, sought))

    def _told(self, row: Row, found: Sample | Rejection | None, find: Find) -> tuple[Explanation | None, str]:
        """How the record came to be, or why that cannot be told."""
        if found is None:
            return None, "The run is writing this record anew; look again in a moment."
        sample = found if isinstance(found, Sample) else None
        rejections = [found] if isinstance(found, Rejection) else []
        try:
            name = sample.id if sample else row.seed
            story = story_of(self.run, row.round, row.seed, name, sample, rejections, find)
            told = explained(self.run, story, find)
        except RunError as error:
            return None, str(error)
        if row.state == "new":
            told = told.model_copy(update={"outcome": ["Made, and not curated yet."]})
        return told, ""


def _turns(rejection: Rejection | None, side: str) -> list[Message]:
    """Chat turns of what curation refused."""
    found = rejection.data.get(side) if rejection else None
    return found if isinstance(found, list) and all(isinstance(turn, dict) for turn in found) else []


def _pair(sample: Sample | None, rejection: Rejection | None) -> tuple[Markup, Markup] | None:
    """The chosen and the rejected answer, with what differs marked."""
    chosen = (sample.chosen if sample else _turns(rejection, "chosen")) or []
    rejected = (sample.rejected if sample else _turns(rejection, "rejected")) or []
    return difference(_said(chosen), _said(rejected)) if chosen or rejected else None


def _said(turns: Sequence[Message]) -> str:
    return "\n\n".join(str(turn.get("content", "")) for turn in turns)
