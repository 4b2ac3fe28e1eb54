"""Blocks packed into passages of a wanted length, never across chapters if it can be helped."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from synth.data.documents.passage import Block, Document, Passage

__all__ = ["pack"]

_SENTENCE = re.compile(r"(?<=[.!?])\s+")


def pack(
    document: Document, blocks: Iterable[Block], count: Callable[[str], int], least: int, most: int
) -> Iterator[Passage]:
    """Passages of at most `most` tokens, as `count` counts them. A new one begins where the next
    block would not fit, or where the headings change and `least` tokens are there already."""
    held: list[Block] = []
    held_tokens = 0
    for block, tokens in _fitting(blocks, count, most):
        full = held_tokens + tokens > most
        turned = held and block.headings != held[-1].headings and held_tokens >= least
        if held and (full or turned):
            yield _passage(document, held, held_tokens)
            held, held_tokens = [], 0
        held.append(block)
        held_tokens += tokens
    if held:
        yield _passage(document, held, held_tokens)


def _fitting(blocks: Iterable[Block], count: Callable[[str], int], most: int) -> Iterator[tuple[Block, int]]:
    """Blocks with their tokens; one that is too long in pieces, by lines, else sentences, else words."""
    for block in blocks:
        tokens = count(block.text)
        if tokens <= most:
            yield block, tokens
            continue
        lines = block.text.split("\n")
        for first, piece in _pieces(lines, "\n", count, most):
            at = block.first + first if block.first else 0
            last = at + piece.count("\n") if at else 0
            part = Block(piece, at, last, block.headings, block.code, block.page)
            size = count(piece)
            if size <= most:
                yield part, size
                continue
            for _, smaller in _pieces(_SENTENCE.split(piece), " ", count, most):
                for _, words in _pieces(smaller.split(" "), " ", count, most):
                    yield Block(words, at, last, block.headings, block.code, block.page), count(words)


def _pieces(parts: list[str], glue: str, count: Callable[[str], int], most: int) -> Iterator[tuple[int, str]]:
    """Runs of parts that fit together, each with the index of its first; a part alone may be too long."""
    first, tokens = 0, 0
    for index, part in enumerate(parts):
        size = count(part + glue)
        if index > first and tokens + size > most:
            yield first, glue.join(parts[first:index])
            first, tokens = index, 0
        tokens += size
    yield first, glue.join(parts[first:])


def _passage(document: Document, blocks: list[Block], tokens: int) -> Passage:
    code = sum(len(block.text) for block in blocks if block.code)
    whole = sum(len(block.text) for block in blocks)
    glue = "\n\n\n" if blocks[0].code and code == whole else "\n\n"
    return Passage.of(
        glue.join(block.text for block in blocks),
        "code" if 2 * code > whole else "prose",
        document.name + _place(blocks),
        headings=blocks[0].headings,
        licence=document.licence,
        tokens=tokens,
    )


def _place(blocks: list[Block]) -> str:
    if blocks[0].page:
        return f":p{blocks[0].page}"
    return f":{blocks[0].first}-{blocks[-1].last}" if blocks[0].first else ""
