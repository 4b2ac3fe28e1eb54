"""Documents of a folder, a file, a jsonl or the hub, one at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from synth.config.locate import locate, nearest_to
from synth.data.documents.passage import Document, Tally
from synth.data.documents.source import DocumentSource
from synth.data.remote import fetched, is_remote
from synth.errors import DataError

__all__ = ["documents"]

SPDX = re.compile(rb"SPDX-License-Identifier:\s*([\w.+-]+(?: (?:OR|AND|WITH) [\w.+-]+)*)")
LARGEST = 20 * 2**20
"""Bytes; a larger file is no document to read."""


def documents(source: DocumentSource, flow_file: Path, tally: Tally) -> Iterator[Document]:
    """The documents of a source in a stable order. `tally` counts what is left out.

    Raises `DataError`: nothing of that name, no files, a row without the text.
    """
    return islice(_all(source, flow_file, tally), source.size)


def _all(source: DocumentSource, flow_file: Path, tally: Tally) -> Iterator[Document]:
    if source.source.startswith("hub:"):
        return _rows(_hub(source), source, source.source)
    root = fetched(source.source) if is_remote(source.source) else locate(source.source, flow_file)
    if root is None:
        raise DataError(
            f"there is no file or folder {source.source!r} of documents",
            nearest_to(source.source, flow_file) or "write a folder, a file, hub:owner/name or magpie",
        )
    if root.suffix == ".jsonl":
        return _rows(_lines(root), source, source.source)
    return _files(root, source, tally)


def _files(root: Path, source: DocumentSource, tally: Tally) -> Iterator[Document]:
    found = 0
    for path in [root] if root.is_file() else sorted(root.rglob("*")):
        name = path.name if path == root else path.relative_to(root).as_posix()
        if not path.is_file() or not _wanted(name, source):
            continue
        found += 1
        if path.stat().st_size > LARGEST:
            tally.dropped["too-large"] += 1
            continue
        data = path.read_bytes()
        label = source.source if path == root else f"{source.source.rstrip('/')}/{name}"
        yield Document(label, data, path.suffix.lower(), _licence(name, data, source))
    if not found:
        raise DataError(
            f"{root} holds no file that include and exclude let through", "correct the globs of this source"
        )


def _wanted(name: str, source: DocumentSource) -> bool:
    hidden = any(part.startswith(".") or part == "__pycache__" for part in name.split("/"))
    return (
        not hidden
        and any(_fits(name, glob) for glob in source.include)
        and not any(_fits(name, glob) for glob in source.exclude)
    )


def _fits(name: str, glob: str) -> bool:
    """Whether a glob fits: `*` stays within a folder, `**/` stands for any folders or none."""
    return _pattern(glob).fullmatch(name) is not None


@lru_cache(maxsize=256)
def _pattern(glob: str) -> re.Pattern[str]:
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    return re.compile("".join(meaning.get(part) or re.escape(part) for part in parts))


def _licence(name: str, data: bytes, source: DocumentSource) -> str:
    own = SPDX.search(data[:4096])
    if own:
        return own[1].decode()
    return next((text for glob, text in source.licences.items() if _fits(name, glob)), source.licence)


def _rows(
    rows: Iterator[tuple[int, Mapping[str, Any]]], source: DocumentSource, label: str
) -> Iterator[Document]:
    for number, row in rows:
        text = row.get(source.text)
        if not isinstance(text, str):
            raise DataError(
                f"{label}:{number}: no text in the field {source.text!r}; it has {', '.join(row) or 'none'}",
                "name the field that holds the text: text: FIELD",
            )
        licence = str(row.get(source.licence_field) or "") if source.licence_field else ""
        yield Document(
            f"{label}:{number}", text.encode(), str(row.get("suffix") or ".md"), licence or source.licence
        )


def _lines(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError as problem:
                raise DataError(
                    f"{path}:{number}: not JSON: {problem.msg}", "write one object a line"
                ) from problem
            if not isinstance(row, dict):
                raise DataError(f"{path}:{number}: not a JSON object", 'write {"text": "..."} on each line')
            yield number, row


def _hub(source: DocumentSource) -> Iterator[tuple[int, Mapping[str, Any]]]:
    import datasets

    name = source.source.removeprefix("hub:")
    try:
        stream = datasets.load_dataset(name, name=source.config, split=source.split, streaming=True)
        yield from enumerate(stream, 1)
    except Exception as problem:  # the library and its transports share no base class
        reason = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
        raise DataError(
            f"the hub data set {name!r} (split {source.split!r}) cannot be read: {reason}",
            "check its name, config and split; or download it and name the folder",
        ) from problem
