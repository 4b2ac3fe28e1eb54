"""Questions from jsonl, parquet and csv files, streamed; errors name file and line."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from synth.config.flowfile import DataSource
from synth.config.suggest import nearest
from synth.data.remote import fetched, is_remote
from synth.data.rows import check_fields, fields_read, to_question
from synth.errors import DataError
from synth.records import Question

__all__ = ["SUFFIXES", "file_questions", "file_rows"]

SUFFIXES = (".jsonl", ".parquet", ".csv")
"""Kinds of files that are read."""
BATCH = 1024
"""Parquet rows decoded at a time."""

Row = tuple[int, Mapping[str, Any]]
"""A line or row number, counted from 1, and the row."""


def file_questions(source: DataSource, base: Path) -> Iterator[Question]:
    """The questions of a file, or of all files of the one supported kind in a folder.

    Raises `DataError`: nothing there, not UTF-8, not JSON, a field that is missing or of
    the wrong type, or no rows at all.
    """
    for row, where, label in file_rows(source, base):
        yield to_question(row, source, where, label)


def file_rows(source: DataSource, base: Path) -> Iterator[tuple[Mapping[str, Any], str, str]]:
    """The rows of a file or folder, each with its place for errors and its label for lineages.

    Raises `DataError`: nothing there, not UTF-8, not JSON, or no rows at all.
    """
    root = _find(source.source, base)
    for path in _files(root):
        label = source.source if path == root else f"{source.source}/{path.relative_to(root).as_posix()}"
        empty = True
        for number, row in _rows(path, source):
            empty = False
            yield row, f"{path}:{number}", f"{label}:{number}"
        if empty:
            raise DataError(f"{path} holds no rows", "fill it, or name another file under source")


def _find(name: str, base: Path) -> Path:
    """The file or folder, from the current directory or from `base`; of a URL a copy."""
    if is_remote(name):
        return fetched(name)
    wanted = Path(name).expanduser()
    for folder in (Path(), base):
        if (folder / wanted).exists():
            return folder / wanted
    parent = (base / wanted).parent
    names = [path.name for path in parent.iterdir()] if parent.is_dir() else []
    near = nearest(wanted.name, names)
    hint = f"did you mean {near!r}? " if near else ""
    raise DataError(
        f"there is no file or folder {name!r}, neither in the current directory nor in {base}",
        f"{hint}write tasks, hub:owner/name, or the path or URL of a file or folder",
    )


def _files(root: Path) -> list[Path]:
    """The files to read, by name. A folder must hold files of one kind only."""
    if root.is_file():
        if root.suffix not in SUFFIXES:
            raise DataError(
                f"{root} is of a kind that is not read ({root.suffix or 'no suffix'})",
                f"convert it to one of {', '.join(SUFFIXES)}",
            )
        return [root]
    found = sorted(path for path in root.rglob("*") if path.suffix in SUFFIXES and path.is_file())
    kinds = Counter(path.suffix for path in found)
    if len(kinds) == 1:
        return found
    held = ", ".join(f"{count} {suffix}" for suffix, count in kinds.items())
    what = (
        f"the folder {root} mixes kinds of files: {held}"
        if held
        else f"the folder {root} holds no data files"
    )
    raise DataError(what, f"put files of one kind into it: {', '.join(SUFFIXES)}")


def _rows(path: Path, source: DataSource) -> Iterator[Row]:
    try:
        if path.stat().st_size == 0:
            raise DataError(f"{path} is empty", "write rows into it, or name another file under source")
        if path.suffix == ".parquet":
            yield from _parquet(path, source)
        else:
            yield from _jsonl(path) if path.suffix == ".jsonl" else _csv(path)
    except UnicodeDecodeError as problem:
        raise _not_utf8(path) from problem
    except OSError as problem:
        raise DataError(
            f"{path} cannot be read: {problem.strerror or problem}", "check its permissions"
        ) from problem


def _jsonl(path: Path) -> Iterator[Row]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            text = line.decode().removeprefix("\ufeff").strip()
            if not text:
                continue
            try:
                row = orjson.loads(text)
            except orjson.JSONDecodeError as problem:
                raise DataError(
                    f"{path}:{number}: not JSON: {problem.msg} at column {problem.colno}: {text[:60]}",
                    "a .jsonl file holds one JSON object a line, without line breaks inside it",
                ) from problem
            if not isinstance(row, dict):
                raise DataError(
                    f"{path}:{number}: expected a JSON object, found {type(row).__name__}: {text[:60]}",
                    'write one object a line, such as {"question": "...", "answer": "..."}',
                )
            yield number, row


def _csv(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        while True:
            try:
                row = next(reader, None)
            except csv.Error as problem:
                raise DataError(
                    f"{path}:{reader.line_num}: not CSV: {problem}", "correct the line"
                ) from problem
            if row is None:
                return
            if None in row:
                raise DataError(
                    f"{path}:{reader.line_num}: more fields than the header has ({len(row) - 1})",
                    "put fields that contain commas between double quotes",
                )
            yield reader.line_num, row


def _parquet(path: Path, source: DataSource) -> Iterator[Row]:
    import pyarrow.parquet as pq
    from pyarrow import ArrowException

    try:
        table = pq.ParquetFile(path)
        columns = _columns(table.schema_arrow.names, source, path)
        number = 0
        for batch in table.iter_batches(batch_size=BATCH, columns=columns):
            for row in batch.to_pylist():
                number += 1
                yield number, row
    except ArrowException as problem:
        raise DataError(f"{path} is not a readable parquet file: {problem}", "write it again") from problem


def _columns(names: list[str], source: DataSource, path: Path) -> list[str]:
    """The columns worth decoding: of a dialogue all, of a question those that are looked at."""
    if source.shape == "conversations":
        return names
    check_fields(names, source, str(path))
    return [name for name in fields_read(source) if name in names]


def _not_utf8(path: Path) -> DataError:
    """Names the first line and byte that is not UTF-8."""
    start = 0
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                line.decode()
            except UnicodeDecodeError as problem:
                byte = line[problem.start]
                return DataError(
                    f"{path}:{number}: not UTF-8: byte 0x{byte:02x} at offset {start + problem.start}",
                    f"save it as UTF-8, for example: iconv -f WINDOWS-1252 -t UTF-8 {path.name}",
                )
            start += len(line)
    return DataError(f"{path} is not UTF-8", "save it as UTF-8")
