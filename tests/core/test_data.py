"""Questions are read from every kind of source, and a faulty row is named with its cure."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from synth.config import DataSource
from synth.data import normalise, overlap, question_texts, read_questions, unique
from synth.errors import DataError
from synth.records import Question

ROWS: list[dict[str, Any]] = [
    {"question": "What is 2 + 2?", "answer": "4", "subject": "sums"},
    {"question": "What is 3 - 1?", "answer": 2, "subject": "differences"},
    {"question": "Größer: 7 oder 9?", "answer": "9", "subject": "order"},
]


def read(path: Path | str, base: Path = Path(), exclude: tuple[str, ...] = (), **rest: Any) -> list[Question]:
    return list(read_questions(DataSource(source=str(path), **rest), base=base, exclude=exclude))


def fault(path: Path | str, base: Path = Path(), **rest: Any) -> DataError:
    """The error that reading ends with."""
    with pytest.raises(DataError) as caught:
        read(path, base, **rest)
    assert caught.value.cure, "every fault names its cure"
    return caught.value


def write_jsonl(path: Path, rows: list[Any]) -> Path:
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return path


def write_csv(path: Path, rows: list[dict[str, Any]]) -> Path:
    lines = [",".join(rows[0]), *(",".join(f'"{value}"' for value in row.values()) for row in rows)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist([{k: str(v) for k, v in row.items()} for row in rows]), path)
    return path


WRITERS = {".jsonl": write_jsonl, ".csv": write_csv, ".parquet": write_parquet}


@pytest.mark.parametrize("suffix", WRITERS)
def test_all_kinds_of_files_give_the_same_questions(tmp_path: Path, suffix: str) -> None:
    """What is asked must not depend on how it was stored."""
    path = WRITERS[suffix](tmp_path / f"pool{suffix}", ROWS)
    questions = read(path, kind="number", skill="subject", licence="MIT")
    assert [(q.question, q.answer) for q in questions] == [(r["question"], str(r["answer"])) for r in ROWS]
    assert [q.skills for q in questions] == [("sums",), ("differences",), ("order",)]
    assert {(q.kind, q.licence) for q in questions} == {("number", "MIT")}
    assert questions[0].family == "sums" and len({q.id for q in questions}) == 3


def test_source_names_file_and_line(tmp_path: Path) -> None:
    """The lineage of a sample leads to a line that can be looked at, blank lines counted."""
    (tmp_path / "pool.jsonl").write_text(
        '\ufeff{"question": "a", "answer": "1"}\n\n{"question": "b", "answer": "2"}\n'
    )
    assert [q.source for q in read("pool.jsonl", tmp_path)] == ["pool.jsonl:1", "pool.jsonl:3"]


def test_fields_are_mapped_and_the_answer_cut_after_its_mark(tmp_path: Path) -> None:
    """GSM8K keeps solution and answer in one field."""
    rows = [{"q": "How many?", "full": "48/2 = 24, and so\n48+24 = 72\n#### 72", "tags": ["halves", "sums"]}]
    [question] = read(
        write_jsonl(tmp_path / "x.jsonl", rows),
        question="q",
        answer="full",
        skill="tags",
        answer_after="####",
    )
    assert (question.answer, question.solution) == ("72", "48/2 = 24, and so\n48+24 = 72")
    assert question.skills == ("halves", "sums")


def test_a_row_may_say_how_its_answer_is_read(tmp_path: Path) -> None:
    """So that one file holds letters, numbers and words; a kind that is none is named."""
    rows = [{"question": "?", "answer": "7", "answer_kind": kind} for kind in ("number", "digit")]
    [question] = read(write_jsonl(tmp_path / "x.jsonl", rows[:1]))
    assert question.kind == "number"
    with pytest.raises(DataError, match="answer_kind 'digit' is none of number, word"):
        read(write_jsonl(tmp_path / "x.jsonl", rows[1:]))


def test_a_row_may_carry_its_solution_and_choices(tmp_path: Path) -> None:
    """Worked solutions and labels are kept where the data have them."""
    rows = [{"question": "?", "answer": "B", "solution": "Because.", "choices": ["A", "B"]}]
    [question] = read(write_jsonl(tmp_path / "x.jsonl", rows), kind="choice")
    assert (question.solution, question.choices) == ("Because.", ("A", "B"))


def test_a_list_is_an_answer(tmp_path: Path) -> None:
    """Answers of kind list come as JSON lists."""
    [question] = read(write_jsonl(tmp_path / "x.jsonl", [{"question": "?", "answer": [3, 5]}]), kind="list")
    assert question.answer == "3, 5"


def test_a_folder_is_all_its_files_in_order(tmp_path: Path) -> None:
    """Downloaded data sets come in shards, in folders, beside files that are no data."""
    (tmp_path / "data").mkdir()
    write_jsonl(tmp_path / "data" / "b.jsonl", ROWS[1:])
    write_jsonl(tmp_path / "data" / "a.jsonl", ROWS[:1])
    (tmp_path / "README.md").write_text("about")
    questions = read(tmp_path.name, tmp_path.parent)
    assert [q.source for q in questions] == [
        f"{tmp_path.name}/data/{name}" for name in ("a.jsonl:1", "b.jsonl:1", "b.jsonl:2")
    ]


def test_faults_of_folders(tmp_path: Path) -> None:
    """Nothing to read, or two kinds of which one would be left out silently."""
    assert "holds no data files" in fault(tmp_path).what
    write_jsonl(tmp_path / "a.jsonl", ROWS)
    write_csv(tmp_path / "a.csv", ROWS)
    assert "mixes kinds of files: 1 .csv, 1 .jsonl" in fault(tmp_path).what


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b'{"question": "a", "answer": "1"}\n{"question": "b", \n', 2, "not JSON"),
        (b'["question"]\n', 1, "expected a JSON object, found list"),
        (
            b'{"question": "a", "answer": "1"}\n{"Question": "b", "answer": "2"}\n',
            2,
            "no field 'question'; it has 'Question', 'answer'",
        ),
        (b'{"question": "a", "answer": null}\n', 1, "the field 'answer' is empty"),
        (b'{"question": "  ", "answer": "1"}\n', 1, "the field 'question' is empty"),
        (b'{"question": "a", "answer": {"x": 1}}\n', 1, "found dict {'x': 1}"),
        (b'{"question": "a", "answer": true}\n', 1, "found bool True"),
        (
            b'{"question": "a", "answer": "1"}\n{"question": "caf\xe9", "answer": "2"}\n',
            2,
            "not UTF-8: byte 0xe9 at offset 50",
        ),
    ],
)
def test_faults_of_jsonl_name_file_and_line(tmp_path: Path, content: bytes, line: int, message: str) -> None:
    """Among a million rows only the line number helps."""
    path = tmp_path / "pool.jsonl"
    path.write_bytes(content)
    problem = fault(path)
    assert problem.what.startswith(f"{path}:{line}: ") and message in problem.what


def test_a_wrong_field_suggests_the_right_one(tmp_path: Path) -> None:
    """A misspelt field is the most frequent fault."""
    assert (
        "did you mean 'question'?" in fault(write_jsonl(tmp_path / "x.jsonl", ROWS), question="questoin").cure
    )
    assert (
        "did you mean 'question'?"
        in fault(write_parquet(tmp_path / "x.parquet", ROWS), question="questoin").cure
    )


def test_faults_of_csv_name_the_line(tmp_path: Path) -> None:
    """A field with a bare comma shifts all that follow."""
    path = tmp_path / "x.csv"
    path.write_text('question,answer\n"a, b",1\nc, d,2\n')
    assert fault(path).what.startswith(f"{path}:3: more fields than the header has")
    path.write_text('question,answer\n"a\nb",1\nc\n')
    assert fault(path).what == f"{path}:4: the field 'answer' is empty"
    path.write_text('question,answer\n"a,1\n')
    assert "not CSV" in fault(path).what
    path.write_bytes(b"question,answer\na,1\nb\xff,2\n")
    assert fault(path).what == f"{path}:3: not UTF-8: byte 0xff at offset 21"


def test_faults_of_whole_files(tmp_path: Path) -> None:
    """Empty, without rows, of an unknown kind, damaged, or not there."""
    for name, content, message in [
        ("a.jsonl", b"", "is empty"),
        ("b.jsonl", b"\n\n", "holds no rows"),
        ("c.csv", b"question,answer\n", "holds no rows"),
        ("d.txt", b"text", "of a kind that is not read (.txt)"),
        ("e.parquet", b"PAR1 nonsense", "is not a readable parquet file"),
    ]:
        (tmp_path / name).write_bytes(content)
        assert message in fault(tmp_path / name).what
    missing = fault("poll.jsonl", write_jsonl(tmp_path / "pool.jsonl", ROWS).parent)
    assert "no file or folder 'poll.jsonl'" in missing.what and "did you mean 'pool.jsonl'?" in missing.cure


def test_missing_mark_is_a_fault(tmp_path: Path) -> None:
    """Without its mark the whole solution would pass as the answer."""
    rows = [{"question": "?", "answer": "no mark"}]
    problem = fault(write_jsonl(tmp_path / "x.jsonl", rows), answer_after="####")
    assert "does not contain '####'" in problem.what


def test_files_are_streamed(tmp_path: Path) -> None:
    """The first questions come before a fault further down is met: nothing is read ahead."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(orjson.dumps(ROWS[0]) + b"\nbroken\n")
    questions = read_questions(DataSource(source=str(path)), base=Path())
    assert next(questions).answer == "4"
    with pytest.raises(DataError):
        next(questions)


def test_size_draws_uniformly_by_seed_and_in_order(tmp_path: Path) -> None:
    """A subset must be the same on every run and favour no part of the file."""
    rows = [{"question": f"q{number}", "answer": number} for number in range(50)]
    path = write_jsonl(tmp_path / "x.jsonl", rows)
    first = [int(q.answer) for q in read(path, size=10, seed=1)]
    assert first == [int(q.answer) for q in read(path, size=10, seed=1)] == sorted(first)
    assert first != [int(q.answer) for q in read(path, size=10, seed=2)]
    assert len(read(path, size=80)) == 50
    counts = Counter(int(q.answer) for seed in range(200) for q in read(path, size=10, seed=seed))
    assert all(12 <= counts[number] <= 68 for number in range(50))  # 40 expected, 5 sigma are 28


def test_excluded_texts_are_left_out_in_any_spelling(tmp_path: Path) -> None:
    """A test question must not come back as a training question through its spelling."""
    questions = read(write_jsonl(tmp_path / "x.jsonl", ROWS), exclude=("what  is 2 + 2? ",))
    assert [q.answer for q in questions] == ["2", "9"]


def test_families_belong_to_tasks_only(tmp_path: Path) -> None:
    """Naming families for a file would be ignored silently."""
    assert "task families" in fault(write_jsonl(tmp_path / "x.jsonl", ROWS), families=("addition",)).what


def test_normalise_keeps_what_makes_a_question() -> None:
    """Case, spacing and Unicode form are no difference; signs and digits are."""
    assert normalise(" What\nIS  \uff12 + 2?") == normalise("what is 2 + 2?")
    assert normalise("12 - 5") != normalise("12 + 5")
    same = [Question.of("A b?", "1"), Question.of("a  B?", "1"), Question.of("c?", "2")]
    assert [q.question for q in unique(same)] == ["A b?", "c?"]
    assert [q.question for q in unique(same, exclude=("C?",))] == ["A b?"]
    assert question_texts(same) == {"a b?", "c?"}
    assert overlap(same, [Question.of("C?", "3")]) == [same[2]]


def hub(monkeypatch: pytest.MonkeyPatch, rows: Any) -> list[dict[str, Any]]:
    """Put a stand-in for `datasets` in place; returns the arguments it is called with."""
    calls: list[dict[str, Any]] = []

    def load_dataset(path: str, **options: Any) -> Iterator[dict[str, Any]]:
        calls.append({"path": path, **options})
        if isinstance(rows, Exception):
            raise rows
        return iter(rows)

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    return calls


def test_hub_rows_are_streamed_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub's data sets are read row by row, never downloaded whole."""
    calls = hub(monkeypatch, ROWS)
    questions = read("hub:owner/name", split="test", config="main", kind="number")
    assert [q.source for q in questions][:2] == ["hub:owner/name/test:1", "hub:owner/name/test:2"]
    assert calls == [{"path": "owner/name", "name": "main", "split": "test", "streaming": True}]


def test_hub_faults_are_told_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """No network, no such data set, no such field."""
    hub(monkeypatch, ConnectionError("Couldn't reach the hub\nmore lines"))
    problem = fault("hub:owner/name")
    assert "'owner/name'" in problem.what and problem.what.endswith("ConnectionError: Couldn't reach the hub")
    hub(monkeypatch, ROWS)
    assert (
        "hub data set owner/name, split train, row 1: no field 'text'"
        in fault("hub:owner/name", question="text").what
    )


def test_reading_files_imports_nothing_heavy() -> None:
    """The flow process starts quickly and never loads torch for its data."""
    heavy = ("torch", "datasets", "reasoning_gym", "pandas", "pyarrow", "sympy", "transformers")
    code = f"import sys, synth.data, synth.verify; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
