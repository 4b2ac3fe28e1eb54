"""Source code by its definitions: Python by its own parser, other languages by unindented lines."""

from __future__ import annotations

import ast
import warnings

from synth.data.documents.passage import Block

__all__ = ["other", "python"]

LONG = 6000
"""Characters; a longer class is cut into its methods."""


def python(text: str) -> list[Block]:
    """Definitions of a module, each with the comments before it; what is not Python is cut as any text."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes in the user's strings
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return other(text)
    lines = text.split("\n")
    blocks: list[Block] = []
    start = 0
    for node in tree.body:
        end = node.end_lineno or node.lineno
        blocks += _pieces(node, lines, start, end)
        start = end
    return [block for block in blocks if block.text.strip()]


def other(text: str) -> list[Block]:
    """Runs of lines that begin at an unindented line after a blank one."""
    lines = text.split("\n")
    starts = [
        number
        for number, line in enumerate(lines)
        if line.strip()
        and not line[0].isspace()
        and line[0] not in ")}]"
        and (not number or not lines[number - 1].strip())
    ]
    ends = [*starts[1:], len(lines)]
    return [_block(lines, first, end) for first, end in zip(starts, ends, strict=True)]


def _pieces(node: ast.stmt, lines: list[str], start: int, end: int) -> list[Block]:
    names = (node.name,) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) else ()
    whole = _block(lines, start, end, names)
    if not isinstance(node, ast.ClassDef) or len(whole.text) < LONG:
        return [whole]
    pieces, first = [], start
    for child in node.body:
        last = child.end_lineno or child.lineno
        own = (child.name,) if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else ()
        pieces.append(_block(lines, first, last, (*names, *own)))
        first = last
    return pieces


def _block(lines: list[str], first: int, end: int, names: tuple[str, ...] = ()) -> Block:
    """Lines `first` to `end` (counted from 0, without the last) less blank ones at either end."""
    while first < end and not lines[first].strip():
        first += 1
    while end > first and not lines[end - 1].strip():
        end -= 1
    return Block("\n".join(lines[first:end]), first + 1, end, names, code=True)
