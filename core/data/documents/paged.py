"""HTML and PDF: formats whose text has no lines of its own."""

from __future__ import annotations

import io
import logging
import re

from synth.data.documents.passage import Block

__all__ = ["html", "pdf"]

_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_WHOLE = (*_HEADINGS, "p", "pre", "blockquote", "ul", "ol", "dl", "table", "figcaption")
_FURNITURE = ("script", "style", "nav", "header", "footer", "aside", "form", "noscript", "template", "svg")


def html(text: str) -> list[Block]:
    """Headings, paragraphs, lists and tables of a page, without navigation and scripts."""
    from selectolax.lexbor import LexborHTMLParser

    page = LexborHTMLParser(text)
    page.strip_tags(list(_FURNITURE))
    root = page.css_first("main") or page.css_first("article") or page.body
    blocks: list[Block] = []
    path: list[tuple[int, str]] = []
    for node in root.css(", ".join(_WHOLE)) if root else ():
        if _nested(node.parent):
            continue
        is_code = node.tag == "pre"
        said = node.text(separator="\n" if node.tag in ("ul", "ol", "dl") else "", strip=False)
        words = said.strip("\n") if is_code else _table(node) if node.tag == "table" else _squeezed(said)
        if node.tag in _HEADINGS:
            level = int(node.tag[1])
            path = [*(entry for entry in path if entry[0] < level), (level, " ".join(words.split()))]
        elif words.strip():
            blocks.append(Block(words, headings=tuple(title for _, title in path), code=is_code))
    return blocks


def _nested(node: object) -> bool:
    """Whether something around it is taken as a whole already."""
    while node is not None:
        if getattr(node, "tag", "") in _WHOLE:
            return True
        node = getattr(node, "parent", None)
    return False


def _table(node: object) -> str:
    """Rows with bars between the cells."""
    rows = node.css("tr")  # type: ignore[attr-defined]
    cells = [[" ".join(cell.text().split()) for cell in row.css("th, td")] for row in rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in cells if row)


def _squeezed(text: str) -> str:
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def pdf(data: bytes) -> list[Block]:
    """Paragraphs of each page. Raises `ValueError` for what cannot be read as a PDF."""
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        pages = [page.extract_text() for page in PdfReader(io.BytesIO(data)).pages]
    except (PyPdfError, KeyError, TypeError, AttributeError, RecursionError, OSError) as error:
        raise ValueError(f"not a readable PDF: {error}") from error
    blocks = []
    for number, text in enumerate(pages, 1):
        for part in re.split(r"\n\s*\n", text):
            said = re.sub(r"(\w)-\n(\w)", r"\1\2", part).strip()
            if said:
                blocks.append(Block(said, page=number))
    return blocks
