"""Documents become passages: cut by structure, with place and licence, repetitions left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from synth.data.documents import DocumentSource, Passage, Tally, passages
from synth.data.documents.near import NearDuplicates
from synth.data.documents.read import tokenizer_count
from synth.errors import DataError

NAMES = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau"
WORDS = NAMES.split()


def prose(start: int, sentences: int = 6) -> str:
    """Sentences that differ from one start to the next."""
    return " ".join(
        f"The {WORDS[(start + i) % 19]} of item {start}-{i} is a {WORDS[(start * 3 + i) % 19]} in all cases."
        for i in range(sentences)
    )


def read(folder: Path, tally: Tally | None = None, licence: str = "CC0", **rest: object) -> list[Passage]:
    source = DocumentSource(source=str(folder), licence=licence)
    options = {"least": 5, "most": 200, **rest}
    return list(passages([source], folder / "flow.yaml", tally=tally or Tally(), **options))  # type: ignore[arg-type]


def test_markdown_is_cut_at_headings_with_its_lines(tmp_path: Path) -> None:
    """A passage knows the titles above it and where it stands."""
    text = f"---\na: 1\n---\n# One\n\n{prose(1)}\n\n## Two\n\n{prose(2)}\n\n```python\nx = 1\n```\n"
    (tmp_path / "a.md").write_text(text)
    first, second = read(tmp_path, least=20)
    assert (first.headings, second.headings) == (("One",), ("One", "Two"))
    assert first.source.endswith("a.md:4-6")
    assert second.source.endswith("a.md:8-14")
    assert second.text == "\n".join(text.split("\n")[7:14])
    assert {p.licence for p in (first, second)} == {"CC0"}


def test_restructured_text_keeps_unknown_directives_as_written(tmp_path: Path) -> None:
    """Sections come from the parser, the text from the file."""
    part = f"Part\n----\n\n.. madeup:: thing\n   {prose(2)}\n\nSee :ref:`x`.\n"
    text = f"=====\nTitle\n=====\n\n{prose(1)}\n\n{part}"
    (tmp_path / "a.rst").write_text(text)
    first, second = read(tmp_path, least=20)
    assert (first.headings, second.headings) == (("Title",), ("Title", "Part"))
    assert ".. madeup:: thing" in second.text
    assert "See :ref:`x`." in second.text


def test_html_and_pdf_are_read_without_furniture(tmp_path: Path) -> None:
    """Scripts and navigation are no text; pages are places."""
    page = f"<nav>menu</nav><h1>Top</h1><p>{prose(1)}</p><script>bad()</script><ul><li>a</li><li>b</li></ul>"
    (tmp_path / "a.html").write_text(f"<html><body>{page}</body></html>")
    (tmp_path / "b.pdf").write_bytes(_pdf("Rivers carry more water in spring than in any other season."))
    web, paged = read(tmp_path)
    assert web.headings == ("Top",)
    assert "menu" not in web.text
    assert "bad()" not in web.text
    assert web.text.endswith("a\nb")
    assert paged.source.endswith("b.pdf:p1")
    assert "Rivers carry more water" in paged.text


def _pdf(text: str) -> bytes:
    """The smallest PDF with a line of text."""
    stream = f"BT /F1 12 Tf 20 100 Td ({text}) Tj ET".encode()
    parts = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 200]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        places.append(len(out))
        out += b"%d 0 obj%s endobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 6\n0000000000 65535 f \n" + table + b"trailer<</Size 6/Root 1 0 R>>\n"
    return out + head + b"startxref\n%d\n%%%%EOF" % len(out)


def test_code_is_cut_at_definitions(tmp_path: Path) -> None:
    """A function is never cut where it can be kept whole."""
    body = "".join(f"    total += {n}  # step {n} of the long way to the sum\n" for n in range(12))
    text = "".join(f"def f{n}(x):\n    total = {n}\n{body}    return total\n\n\n" for n in range(3))
    (tmp_path / "a.py").write_text(text)
    found = read(tmp_path, most=250, near=None)
    assert [p.kind for p in found] == ["code"] * 3
    assert all(
        p.text.startswith(f"def f{n}") and p.text.endswith("return total") for n, p in enumerate(found)
    )
    assert found[1].source.endswith("a.py:18-32")


def test_long_blocks_are_cut_to_length(tmp_path: Path) -> None:
    """No passage is longer than asked for, whatever the document looks like."""
    (tmp_path / "a.txt").write_text("\n\n".join(prose(n, 40) for n in range(3)) + "\n\n" + "word " * 3000)
    found = read(tmp_path, most=100, near=None)
    assert max(p.tokens for p in found) <= 100
    assert sum(len(p.text.split()) for p in found) > 3000


def test_repetitions_are_left_out_and_counted(tmp_path: Path) -> None:
    """The same text, and nearly the same text, is used once; other texts stay."""
    (tmp_path / "a.txt").write_text(prose(1, 12))
    (tmp_path / "b.txt").write_text(prose(1, 12).replace("1-3", "one"))
    (tmp_path / "c.txt").write_text(prose(7, 12))
    tally = Tally()
    assert len(read(tmp_path, tally, most=400)) == 2
    assert tally.info()["dropped"] == {"near-duplicate": 1}


def test_unlike_texts_are_told_apart() -> None:
    """Common words do not make texts alike."""
    known = NearDuplicates(0.8)
    assert [known.add(prose(n)) for n in (1, 5, 9, 1)] == [True, True, True, False]


def test_a_bad_file_is_counted_and_passed_over(tmp_path: Path) -> None:
    """One unreadable file of many thousand does not end a run."""
    (tmp_path / "a.txt").write_bytes(b"caf\xe9 " * 50)
    (tmp_path / "b.pdf").write_bytes(b"no pdf")
    (tmp_path / "c.bin").write_bytes(b"\0\1")
    (tmp_path / "d.py").write_text("def broken(:\n    this is no python at all, but it is text\n")
    (tmp_path / "e.md").write_text(prose(1))
    tally = Tally()
    assert [p.source.rpartition("/")[2] for p in read(tmp_path, tally)] == ["d.py:1-2", "e.md:1-1"]
    assert tally.info()["dropped"] == {"not-utf8": 1, "unreadable": 1, "unknown-kind": 1}


@pytest.mark.parametrize(
    ("glob", "taken"),
    [
        ("*.md", {"a.md"}),
        ("**/*.md", {"a.md", "b/c.md", "b/d/e.md"}),
        ("b/*.md", {"b/c.md"}),
        ("b/**", {"b/c.md", "b/d/e.md"}),
        ("?.md", {"a.md"}),
    ],
)
def test_globs_mean_what_they_say(tmp_path: Path, glob: str, taken: set[str]) -> None:
    """A star stays within its folder: what is held out in another one is not read by accident."""
    for number, name in enumerate(("a.md", "b/c.md", "b/d/e.md")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(prose(4 * number))
    source = DocumentSource(source=str(tmp_path), include=(glob,))
    found = passages([source], tmp_path, tally=Tally(), least=5, most=400)
    assert {p.source.removeprefix(f"{tmp_path}/").partition(":")[0] for p in found} == taken


def test_licences_are_kept_and_filtered(tmp_path: Path) -> None:
    """By the file's own line, by folder, by source; and only those that are wanted."""
    (tmp_path / "a.py").write_text(f'# SPDX-License-Identifier: MIT\n"""{prose(1)}"""\n')
    (tmp_path / "b.md").write_text(prose(2))
    source = DocumentSource(source=str(tmp_path), licence="CC0", licences={"*.md": "CC-BY-4.0"})
    tally = Tally()
    kept = list(passages([source], tmp_path, tally=tally, least=5, most=400, licences=("MIT",)))
    assert [p.licence for p in kept] == ["MIT"]
    assert tally.dropped["licence"] == 1


def test_rows_of_a_jsonl_file_are_documents(tmp_path: Path) -> None:
    """With their own licences; a row without text is named."""
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{"body": "{prose(1)}", "by": "MIT"}}\n{{"text": "x"}}\n')
    source = DocumentSource(source=str(path), text="body", licence_field="by")
    stream = passages([source], tmp_path, tally=Tally(), least=5, most=400)
    assert next(stream).licence == "MIT"
    with pytest.raises(DataError, match=r"rows.jsonl:2: no text in the field 'body'"):
        next(stream)


def test_a_tokenizer_counts_where_one_is_named(tmp_path: Path) -> None:
    """The student's own tokens, instead of four bytes each."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    tokenizer = Tokenizer(WordLevel({"<unk>": 0}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    count = tokenizer_count("tokenizer.json", tmp_path / "flow.yaml")
    assert count("one two three") == 3
    with pytest.raises(DataError, match="is not a tokenizer"):
        tokenizer_count("none.json", tmp_path / "flow.yaml")


def test_a_folder_that_is_not_there_is_a_clear_message(tmp_path: Path) -> None:
    """With the name of the nearest one."""
    (tmp_path / "documents").mkdir()
    with pytest.raises(DataError, match="no file or folder"):
        read(tmp_path / "document")
