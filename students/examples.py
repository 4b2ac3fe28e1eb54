"""The rows a student learns from: read, checked, and those that do not fit left out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from synth.errors import DataError

__all__ = ["COLUMNS", "load_examples", "tokenised"]

COLUMNS = {"sft": ("prompt", "completion"), "dpo": ("prompt", "chosen", "rejected")}
"""Objective -> what a row must have."""
UNFINISHED = "unfinished"
"""Column with the names of a row's answers that were cut off where they were made."""


def load_examples(path: Path, columns: Sequence[str] = COLUMNS["sft"]) -> Dataset:
    """These columns of every row, and `unfinished` if there; others are passed over. All is in memory.

    Raises `DataError` for a file that is missing, empty or of another shape.
    """
    cure = f'each row needs {", ".join(columns)}: lists of {{"role": ..., "content": ...}}'
    doing = f"reading the training data {path}"
    try:
        table = _jsonl(path, [*columns, UNFINISHED]) if path.suffix == ".jsonl" else pq.read_table(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError(
            f"{doing}: {error}", "give a parquet or jsonl file that is there and whole"
        ) from error
    if table.num_rows == 0:
        raise DataError(
            f"{doing}: it has no rows", "there is nothing to learn from; see what curation rejected"
        )
    for name in columns:
        if name not in table.column_names:
            raise DataError(f"{doing}: there is no column '{name}'", cure)
        if not _is_messages(table.schema.field(name).type):
            raise DataError(f"{doing}: '{name}' is {table.schema.field(name).type}", cure)
        if table.column(name).null_count:
            raise DataError(f"{doing}: '{name}' is empty in {table.column(name).null_count} rows", cure)
    flag = [UNFINISHED] if UNFINISHED in table.column_names else []
    return Dataset(table.select([*columns, *flag]))


def tokenised(
    rows: Dataset, tokenizer: PreTrainedTokenizerBase, max_length: int, options: dict[str, Any]
) -> tuple[Dataset, int]:
    """The rows as token ids (`prompt_ids`, `chosen_ids`, ...), and how many were left out for their length.

    A row fits if the prompt with any one of its answers has at most `max_length` tokens as the
    chat template puts it. An unfinished answer gets no end. Raises `DataError` if no row fits.
    """
    sides = [name for name in rows.column_names if name not in ("prompt", UNFINISHED)]

    def ids(row: dict[str, Any]) -> dict[str, Any]:
        prompt = _ids(tokenizer, row["prompt"], {**options, "add_generation_prompt": True})
        cut = row.get(UNFINISHED) or ()
        whole = {
            side: _ids(
                tokenizer, row["prompt"] + row[side], {**options, "continue_final_message": side in cut}
            )
            for side in sides
        }
        # Where a template puts an answered prompt otherwise, the answers begin where the texts part.
        start = min(_shared(prompt, text) for text in whole.values())
        split = {f"{side}_ids": text[start:] for side, text in whole.items()}
        return {"prompt_ids": prompt[:start], **split, "length": max(map(len, whole.values()))}

    made = rows.map(ids, remove_columns=rows.column_names)
    lengths = made["length"]
    fitting = [index for index, length in enumerate(lengths) if length <= max_length]
    if not fitting:
        raise DataError(
            f"all {len(rows)} training examples are longer than {max_length} tokens; "
            f"the shortest has {min(lengths)}",
            "raise train.max_length, or make shorter examples",
        )
    return made.remove_columns("length").select(fitting), len(rows) - len(fitting)


def _ids(tokenizer: PreTrainedTokenizerBase, messages: list[Any], options: dict[str, Any]) -> list[int]:
    text = tokenizer.apply_chat_template(messages, tokenize=False, **options)
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _shared(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two texts have in common from their beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _jsonl(path: Path, columns: Sequence[str]) -> pa.Table:
    """Only these columns are taken, since the others may differ in shape from line to line."""
    with path.open(encoding="utf-8") as file:
        lines = [json.loads(line) for line in file if line.strip()]
    return pa.Table.from_pylist([{name: line[name] for name in columns if name in line} for line in lines])


def _is_messages(kind: pa.DataType) -> bool:
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        return False
    message = kind.value_type
    return pa.types.is_struct(message) and {"role", "content"} <= {
        message.field(i).name for i in range(message.num_fields)
    }
