"""Data in a store that fsspec reaches: read like files, checked without being asked for, exported to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fsspec
import orjson
import pytest

from synth.config import DataSource
from synth.data import read_questions
from synth.data.documents.files import documents
from synth.data.documents.passage import Tally
from synth.data.documents.source import DocumentSource
from synth.data.remote import fetched
from synth.errors import DataError
from synth.records import Question


@pytest.fixture
def store(tmp_path: Path) -> Iterator[str]:
    """The URL of an empty place."""
    url = f"memory://{tmp_path.name}"
    yield url
    system, root = fsspec.core.url_to_fs(url)
    if system.exists(root):
        system.rm(root, recursive=True)


def put(url: str, data: bytes) -> str:
    with fsspec.open(url, "wb") as file:
        file.write(data)
    return url


def lines(*numbers: int) -> bytes:
    return b"".join(orjson.dumps({"question": f"{n}?", "answer": str(n)}) + b"\n" for n in numbers)


def read(url: str) -> list[Question]:
    return list(read_questions(DataSource(source=url), base=Path()))


def test_a_file_and_a_folder_are_read_as_on_a_disk(store: str) -> None:
    """The same questions in the same order, named by their URL."""
    put(f"{store}/all/a.jsonl", lines(1, 2))
    put(f"{store}/all/b/c.jsonl", lines(3))
    assert [question.answer for question in read(f"{store}/all")] == ["1", "2", "3"]
    assert [question.answer for question in read(f"{store}/all/a.jsonl")] == ["1", "2"]
    assert read(f"{store}/all")[2].source == f"{store}/all/b/c.jsonl:1"


def test_documents_are_read_too(store: str) -> None:
    put(f"{store}/docs/one.md", b"# One")
    put(f"{store}/docs/in/two.md", b"# Two")
    found = list(documents(DocumentSource(source=f"{store}/docs"), Path("flow.yaml"), Tally()))
    assert [(one.name, one.data) for one in found] == [
        (f"{store}/docs/in/two.md", b"# Two"),
        (f"{store}/docs/one.md", b"# One"),
    ]


def test_it_is_fetched_once(store: str) -> None:
    """A source is read several times in a run, and must not change between."""
    url = put(f"{store}/a.jsonl", lines(1))
    first = read(url)
    put(url, lines(2))
    assert read(url) == first
    assert fetched(url).name == "a.jsonl"


def test_what_cannot_be_read_is_said_with_its_cure(store: str) -> None:
    """Nothing there, a line that is no row, a store that nothing here reads."""
    with pytest.raises(DataError, match=f"there is no file or folder {store}/none.jsonl") as nothing:
        read(f"{store}/none.jsonl")
    assert "keys" in nothing.value.cure
    with pytest.raises(DataError, match=r"bad\.jsonl:1: not JSON"):
        read(put(f"{store}/bad.jsonl", b"{"))
    with pytest.raises(DataError, match="nosuch://x cannot be read: Protocol not known") as unknown:
        read("nosuch://x")
    assert "install" in unknown.value.cure
