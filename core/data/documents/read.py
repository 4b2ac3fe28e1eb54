"""From sources to passages, streamed: read, cut, counted, and near-duplicates left out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

from synth.config.locate import locate
from synth.data.documents.blocks import blocks_of
from synth.data.documents.chunk import pack
from synth.data.documents.files import documents
from synth.data.documents.near import NearDuplicates
from synth.data.documents.passage import Document, Passage, Tally
from synth.data.documents.source import DocumentSource
from synth.errors import DataError

__all__ = ["passages", "token_estimate", "tokenizer_count"]


def passages(
    sources: Iterable[DocumentSource],
    flow_file: Path,
    *,
    tally: Tally,
    count: Callable[[str], int] | None = None,
    least: int = 48,
    most: int = 384,
    near: float | None = 0.8,
    licences: Collection[str] = (),
) -> Iterator[Passage]:
    """All passages of document sources, one document in memory at a time.

    `count` counts tokens (by default four bytes are one); passages have `least` to `most` of
    them. `near` is the similarity from which a passage is a repetition; None keeps all.
    With `licences`, documents of any other licence are left out. Raises `DataError`.
    """
    known = NearDuplicates(near) if near is not None else None
    for source in sources:
        if source.source == "magpie":
            continue
        for document in documents(source, flow_file, tally):
            tally.documents += 1
            if licences and document.licence not in licences:
                tally.dropped["licence"] += 1
                continue
            for passage in _cut(document, count or token_estimate, least, most, tally):
                if passage.tokens < least:
                    tally.dropped["too-short"] += 1
                elif known is not None and not known.add(passage.text):
                    tally.dropped["near-duplicate"] += 1
                else:
                    tally.passages += 1
                    tally.tokens += passage.tokens
                    tally.licences[passage.licence or "unstated"] += 1
                    yield passage


def _cut(
    document: Document, count: Callable[[str], int], least: int, most: int, tally: Tally
) -> Iterator[Passage]:
    """A document that cannot be read is counted and passed over: one bad file is no reason to stop."""
    try:
        blocks = blocks_of(document)
    except UnicodeDecodeError:
        tally.dropped["not-utf8"] += 1
        return
    except ValueError:
        tally.dropped["unreadable"] += 1
        return
    if blocks is None:
        tally.dropped["unknown-kind"] += 1
        return
    yield from pack(document, blocks, count, least, most)


def token_estimate(text: str) -> int:
    """Tokens at four bytes each: near enough for cutting, and the same on every machine."""
    return -(-len(text.encode()) // 4)


def tokenizer_count(name: str, flow_file: Path) -> Callable[[str], int]:
    """Counts with a tokenizer.json (the file, or the model's folder). Raises `DataError`."""
    from tokenizers import Tokenizer

    path = locate(name, flow_file) or Path(name)
    file = path / "tokenizer.json" if path.is_dir() else path
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises bare Exception
        raise DataError(
            f"{file} is not a tokenizer: {error}", "name a tokenizer.json or a model's folder"
        ) from error
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)
