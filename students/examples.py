"""The rows a student learns from: read and checked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Dataset

from synth.config.objectives import Material
from synth.errors import DataError

__all__ = ["COLUMNS", "MARKERS", "TRUTH", "UNFINISHED", "load_examples"]

COLUMNS: dict[Material, tuple[str, ...]] = {
    "answers": ("prompt", "completion"),
    "pairs": ("prompt", "chosen", "rejected"),
    "truths": ("prompt", "truth"),
    "demonstrations": ("prompt", "completion", "truth"),
}
"""What an objective needs -> what a row must have."""
UNFINISHED = "unfinished"
"""Column with the names of a row's answers that were cut off where they were made."""
MARKERS = "markers"
"""Column with what training puts after a row's prompt."""
TRUTH = "truth"
"""Column with a row's `Question` as JSON: what is known to be right."""


def load_examples(path: Path, columns: Sequence[str] = COLUMNS["answers"]) -> Dataset:
    """These columns of every row, and `unfinished` if there; others are passed over. All is in memory.
    Where a row has `markers`, the last turn of its user ends with them.

    Raises `DataError` for a file that is missing, empty or of another shape.
    """
    lists = ", ".join(name for name in columns if name != TRUTH)
    cure = f'each row needs {lists}: lists of {{"role": ..., "content": ...}}'
    cure += ", and truth: a question with its answer as JSON" if TRUTH in columns else ""
    doing = f"reading the training data {path}"
    try:
        table = (
            _jsonl(path, [*columns, UNFINISHED, MARKERS]) if path.suffix == ".jsonl" else pq.read_table(path)
        )
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
        kind = table.schema.field(name).type
        if not (pa.types.is_string(kind) if name == TRUTH else _is_messages(kind)):
            raise DataError(f"{doing}: '{name}' is {kind}", cure)
        if table.column(name).null_count:
            raise DataError(f"{doing}: '{name}' is empty in {table.column(name).null_count} rows", cure)
    flag = [UNFINISHED] if UNFINISHED in table.column_names else []
    if MARKERS in table.column_names:
        marked = Dataset(table.select([*columns, *flag, MARKERS]))
        return marked.map(_marked, remove_columns=[MARKERS])
    return Dataset(table.select([*columns, *flag]))


def _marked(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its markers after the last turn of its user."""
    prompt = [dict(turn) for turn in row["prompt"]]
    last = next((turn for turn in reversed(prompt) if turn["role"] == "user"), None)
    if last and row[MARKERS]:
        last["content"] += f"\n\n{row[MARKERS]}"
    return {"prompt": prompt}


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
