"""A passage: a piece of a document with its place, licence and length; and the count of what was read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

from synth.records import Record, content_id

__all__ = ["Block", "Document", "Kind", "Passage", "Tally"]

Kind = Literal["prose", "code", "prompt"]
"""What a passage is: running text, source code, or a user turn a model came up with."""


@dataclass(frozen=True)
class Document:
    """One file or row as it was read. `name` is its place, `suffix` tells how it is parsed."""

    name: str
    data: bytes
    suffix: str
    licence: str = ""

    def text(self) -> str:
        """As text without a byte order mark, lines ended by a line feed. Raises `UnicodeDecodeError`."""
        return self.data.decode().removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


@dataclass(frozen=True)
class Block:
    """A piece that structure holds together: a paragraph, a list, a function. Lines count from 1;
    0 where the format has none. `headings` are the titles it stands under, outermost first."""

    text: str
    first: int = 0
    last: int = 0
    headings: tuple[str, ...] = ()
    code: bool = False
    page: int = 0


class Passage(Record):
    """What a flow starts from. `source` is `file:first-last` in lines, `file:pN` in a PDF."""

    id: str
    text: str
    kind: Kind
    source: str
    headings: tuple[str, ...] = ()
    licence: str = ""
    tokens: int = 0

    @classmethod
    def of(cls, text: str, kind: Kind, source: str, **rest: Any) -> Passage:
        """A passage whose id is the hash of its text alone: the same text twice is one passage."""
        return cls(id=content_id(["passage", text]), text=text, kind=kind, source=source, **rest)


@dataclass
class Tally:
    """What reading came to: documents, passages, and what was left out, by reason."""

    documents: int = 0
    passages: int = 0
    tokens: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    licences: Counter[str] = field(default_factory=Counter)

    def info(self) -> dict[str, Any]:
        """As written to a run folder."""
        counts = {"documents": self.documents, "passages": self.passages, "tokens": self.tokens}
        return {**counts, "dropped": dict(self.dropped), "licences": dict(self.licences)}
