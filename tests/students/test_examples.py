"""Reading training rows: what is refused, and what is left out for its length."""

from __future__ import annotations

from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from synth.config.flowfile import Train
from synth.errors import DataError
from synth.students.examples import load_examples
from synth.students.tokens import tokenised

from .conftest import row


def parquet(path: Path, rows: list[dict[str, object]]) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def test_jsonl_and_parquet_read_alike(tmp_path: Path) -> None:
    """Both files of a round hold the same rows, whatever their other columns."""
    rows = [row("copy ab", "ab"), {**row("copy c", "c"), "family": 7}]
    lines = tmp_path / "rows.jsonl"
    lines.write_bytes(b"".join(orjson.dumps(r) + b"\n" for r in rows))
    table = parquet(tmp_path / "rows.parquet", [{**r, "family": ""} for r in rows])
    assert load_examples(lines).to_list() == load_examples(table).to_list()
    assert load_examples(lines).column_names == ["prompt", "completion"]


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ([{"prompt": [{"role": "user", "content": "q"}]}], "no column 'completion'"),
        ([{"prompt": "q", "completion": "a"}], "'prompt' is string"),
        (
            [row("q", "a"), {"prompt": [{"role": "user", "content": "q"}], "completion": None}],
            "empty in 1 rows",
        ),
    ],
)
def test_wrong_shapes_are_named(tmp_path: Path, rows: list[dict[str, object]], fault: str) -> None:
    """A data file of another shape is refused before a model is loaded."""
    with pytest.raises(DataError, match=fault) as caught:
        load_examples(parquet(tmp_path / "rows.parquet", rows))
    assert "rows.parquet" in caught.value.what


def test_empty_and_broken_files_are_named(tmp_path: Path) -> None:
    """No rows, and a file that was cut off."""
    empty, broken = tmp_path / "empty.jsonl", tmp_path / "broken.parquet"
    empty.write_text("\n")
    broken.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(DataError, match="no rows"):
        load_examples(empty)
    for path in (broken, tmp_path / "missing.parquet"):
        with pytest.raises(DataError, match=path.name):
            load_examples(path)


def test_long_examples_are_left_out_and_counted(tmp_path: Path) -> None:
    """A cut answer would teach the student to stop in the middle."""
    from synth.students.tiny import tiny_tokenizer

    rows = load_examples(parquet(tmp_path / "rows.parquet", [row("x" * n, "y") for n in (1, 5, 50)]))
    # <|user|> + text + <|end|> + <|assistant|> + y + <|end|>
    kept, left_out, longest = tokenised(rows, tiny_tokenizer(), Train(max_length=10), {})
    assert [len(r["prompt_ids"]) for r in kept] == [4, 8]
    assert [len(r["completion_ids"]) for r in kept] == [2, 2]
    assert left_out == 1 and longest == 10
    with pytest.raises(DataError, match="the shortest has 6"):
        tokenised(rows, tiny_tokenizer(), Train(max_length=5), {})


def test_an_unfinished_answer_is_given_no_end(tmp_path: Path) -> None:
    """An end put after a cut answer would teach the student to stop in the middle of a thought."""
    from synth.students.tiny import tiny_tokenizer

    pair = {"prompt": row("q", "")["prompt"], "unfinished": ["rejected"]} | {
        side: [{"role": "assistant", "content": text}]
        for side, text in (("chosen", "yes"), ("rejected", "no"))
    }
    path = parquet(tmp_path / "pairs.parquet", [pair, {**pair, "unfinished": []}])
    tokenizer = tiny_tokenizer()
    pairs = load_examples(path, ("prompt", "chosen", "rejected"))
    rows = tokenised(pairs, tokenizer, Train(objective="dpo", max_length=50), {}).rows
    for name, texts in {
        "prompt_ids": ["<|user|>q<|end|><|assistant|>"] * 2,
        "chosen_ids": ["yes<|end|>"] * 2,
        "rejected_ids": ["no", "no<|end|>"],
    }.items():
        assert [tokenizer.decode(ids) for ids in rows[name]] == texts


def test_the_longer_answer_of_a_pair_decides(tmp_path: Path) -> None:
    """A pair is left out whole: half of it would be no preference."""
    from synth.students.tiny import tiny_tokenizer

    def pair(chosen: str, rejected: str) -> dict[str, object]:
        prompt, better, worse = row("q", "")["prompt"], row("q", chosen), row("q", rejected)
        return {"prompt": prompt, "chosen": better["completion"], "rejected": worse["completion"]}

    path = parquet(tmp_path / "pairs.parquet", [pair("y", "n"), pair("y" * 9, "n"), pair("y", "n" * 9)])
    rows = load_examples(path, ("prompt", "chosen", "rejected"))
    assert tokenised(rows, tiny_tokenizer(), Train(objective="dpo", max_length=10), {}).left_out == 2
