"""The rows a student learns from: read, checked, and those that do not fit left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from synth.errors import DataError

__all__ = ["COLUMNS", "load_examples", "that_fit"]

COLUMNS = ("prompt", "completion")
CURE = "each row needs 'prompt' and 'completion', both lists of {\"role\": ..., \"content\": ...}"
Message = dict[str, Any]


def load_examples(path: Path) -> Dataset:
    """Prompt and completion of every row, in memory; further columns are passed over.

    Raises `DataError` for a file that is missing, empty or of another shape.
    """
    doing = f"reading the training data {path}"
    try:
        table = _jsonl(path) if path.suffix == ".jsonl" else pq.read_table(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError(
            f"{doing}: {error}", "give a parquet or jsonl file that is there and whole"
        ) from error
    if table.num_rows == 0:
        raise DataError(
            f"{doing}: it has no rows", "there is nothing to learn from; see what curation rejected"
        )
    for name in COLUMNS:
        if name not in table.column_names:
            raise DataError(f"{doing}: there is no column '{name}'", CURE)
        if not _is_messages(table.schema.field(name).type):
            raise DataError(f"{doing}: '{name}' is {table.schema.field(name).type}", CURE)
        if table.column(name).null_count:
            raise DataError(f"{doing}: '{name}' is empty in {table.column(name).null_count} rows", CURE)
    return Dataset(table.select(list(COLUMNS)))


def that_fit(
    rows: Dataset, tokenizer: PreTrainedTokenizerBase, max_length: int, options: dict[str, Any]
) -> tuple[Dataset, int]:
    """The rows of at most `max_length` tokens as the chat template puts them, and how many are longer.

    Raises `DataError` if none is left.
    """

    def measure(batch: dict[str, list[list[Message]]]) -> dict[str, list[int]]:
        whole = [p + c for p, c in zip(batch["prompt"], batch["completion"], strict=True)]
        texts = tokenizer.apply_chat_template(whole, tokenize=False, **options)
        return {"length": [len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]]}

    lengths = rows.map(measure, batched=True, remove_columns=rows.column_names)["length"]
    fitting = [index for index, length in enumerate(lengths) if length <= max_length]
    if not fitting:
        raise DataError(
            f"all {len(rows)} training examples are longer than {max_length} tokens; "
            f"the shortest has {min(lengths)}",
            "raise train.max_length, or make shorter examples",
        )
    return rows.select(fitting), len(rows) - len(fitting)


def _jsonl(path: Path) -> pa.Table:
    """Only the two columns are taken, since the others may differ in shape from line to line."""
    with path.open(encoding="utf-8") as file:
        lines = [json.loads(line) for line in file if line.strip()]
    return pa.Table.from_pylist([{name: line[name] for name in COLUMNS if name in line} for line in lines])


def _is_messages(kind: pa.DataType) -> bool:
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        return False
    message = kind.value_type
    return pa.types.is_struct(message) and {"role", "content"} <= {
        message.field(i).name for i in range(message.num_fields)
    }
