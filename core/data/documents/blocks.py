"""A document cut into blocks along its own structure, by the parser its kind has."""

from __future__ import annotations

from collections.abc import Callable

from synth.data.documents import code, markup, paged
from synth.data.documents.passage import Block, Document

__all__ = ["CODE", "blocks_of"]

_LANGUAGES = "py pyi js ts tsx jsx rs go java kt c h cc cpp hpp cs rb php swift scala sh sql lua r jl"
CODE = frozenset(f".{ending}" for ending in _LANGUAGES.split())
"""Kinds of files that are source code."""
_TEXT: dict[str, Callable[[str], list[Block]]] = {
    ".md": markup.markdown,
    ".markdown": markup.markdown,
    ".rst": markup.rst,
    ".html": paged.html,
    ".htm": paged.html,
    ".xhtml": paged.html,
    ".txt": markup.plain,
    ".text": markup.plain,
    ".tex": markup.plain,
    "": markup.plain,
    ".py": code.python,
    ".pyi": code.python,
}


def blocks_of(document: Document) -> list[Block] | None:
    """Its blocks; None where the file is of no kind that is read.

    Raises `UnicodeDecodeError` for text that is not UTF-8 and `ValueError` for a broken PDF.
    """
    if document.suffix == ".pdf":
        return paged.pdf(document.data)
    parse = _TEXT.get(document.suffix) or (code.other if document.suffix in CODE else None)
    if parse is None or b"\0" in document.data[:8192]:
        return None
    return parse(document.text())
