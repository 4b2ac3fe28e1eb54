"""Markdown, reStructuredText and plain text: the source's own lines, cut where a parser says."""

from __future__ import annotations

import re
from collections.abc import Iterable

from synth.data.documents.passage import Block

__all__ = ["markdown", "plain", "rst"]

_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_Mark = tuple[int, int, int, str, bool]
"""First line, line after the last, level of a heading or 0, its title, whether it is code."""


def markdown(text: str) -> list[Block]:
    """Blocks of CommonMark with tables; YAML front matter is passed over."""
    from markdown_it import MarkdownIt

    text = _FRONT_MATTER.sub(lambda match: "\n" * match[0].count("\n"), text)
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    marks: list[_Mark] = []
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if token.level or token.map is None or token.nesting < 0 or token.type in ("hr", "html_block"):
            continue
        level = int(token.tag[1]) if token.type == "heading_open" else 0
        title = following.content.strip() if level and following is not None else ""
        marks.append((token.map[0], token.map[1], level, title, token.type in ("fence", "code_block")))
    return _cut(text, marks)


def rst(text: str) -> list[Block]:
    """Blocks of reStructuredText: paragraphs under the sections docutils finds.

    Directives and roles it does not know are left in the text as they are written.
    """
    from docutils import nodes
    from docutils.core import publish_doctree

    settings = {
        "report_level": 5,
        "halt_level": 5,
        "file_insertion_enabled": False,
        "raw_enabled": False,
        "warning_stream": False,
        "doctitle_xform": False,
        "_disable_config": True,
    }
    lines = text.split("\n")
    marks: list[_Mark] = []
    for section in publish_doctree(text, settings_overrides=settings).findall(nodes.section):
        title, line = section.next_node(nodes.title), section.line
        if title is None or line is None:
            continue
        first = _title_line(lines, title.astext(), line)
        level, parent = 1, section.parent
        while isinstance(parent, nodes.section):
            level, parent = level + 1, parent.parent
        if first is not None:
            marks.append((*first, level, title.astext(), False))
    marks += [(a, b, 0, "", False) for a, b in _paragraphs(lines) if not _inside(a, b, marks)]
    return _cut(text, sorted(marks))


def plain(text: str) -> list[Block]:
    """Paragraphs; a short line by itself that is all capitals or a numbered chapter is a heading."""
    lines = text.split("\n")
    marks: list[_Mark] = []
    for first, end in _paragraphs(lines):
        line = lines[first].strip()
        title = end - first == 1 and bool(
            re.fullmatch(r"(?i:chapter|part|book) .{1,60}|[A-Z][A-Z0-9 '\-.,:]{3,60}", line)
        )
        marks.append((first, end, 1 if title else 0, line if title else "", False))
    return _cut(text, marks)


def _paragraphs(lines: list[str]) -> Iterable[tuple[int, int]]:
    """Runs of lines that are not blank; an indented line after a blank one goes on with the run."""
    start: int | None = None
    for number, line in enumerate([*lines, ""]):
        if line.strip():
            start = number if start is None else start
        elif start is not None and not (
            number + 1 < len(lines) and lines[number + 1].startswith((" ", "\t"))
        ):
            end = number
            while not lines[end - 1].strip():
                end -= 1
            yield start, end
            start = None


def _title_line(lines: list[str], title: str, near: int) -> tuple[int, int] | None:
    """Lines of a title with its rules, at or just before the line docutils names."""
    head = title.split(" ")[0]
    for first in range(min(near, len(lines) - 1), max(-1, near - 5), -1):
        under = lines[first + 1].strip() if first + 1 < len(lines) else ""
        if head in lines[first] and len(under) > 2 and len(set(under)) == 1 and not under[0].isalnum():
            over = first > 0 and lines[first - 1].strip() == under
            return first - over, first + 2
    return None


def _inside(first: int, end: int, marks: list[_Mark]) -> bool:
    return any(first < mark[1] and end > mark[0] and mark[2] for mark in marks)


def _cut(text: str, marks: Iterable[_Mark]) -> list[Block]:
    """Source lines by marks. A heading's lines go with what follows it."""
    lines = text.split("\n")
    path: list[tuple[int, str]] = []
    blocks: list[Block] = []
    head: int | None = None
    for first, end, level, title, is_code in marks:
        if level:
            path = [*(entry for entry in path if entry[0] < level), (level, title)]
            head = first if head is None else head
            continue
        start = first if head is None else head
        head = None
        body = "\n".join(lines[start:end]).strip("\n")
        if body.strip():
            blocks.append(Block(body, start + 1, end, tuple(title for _, title in path), is_code))
    return blocks
