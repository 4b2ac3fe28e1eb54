"""Held-out questions are never seen in training: checked on the rows that training reads, every time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from synth.curation import rows_file
from synth.data import normalise
from synth.engine.session import Session
from synth.errors import DataError
from synth.rounds.held_out import held_out_texts

__all__ = ["check_apart"]


def check_apart(session: Session, role: str) -> None:
    """Hold a role's rows of this round against all held-out questions, and note how many there were.

    Curation drops what repeats a question; this looks at what was written, whoever wrote it. Raises
    `DataError` where a user's turn is a held-out question, bare or as the student is asked it.
    """
    bare = held_out_texts(session)
    asked = session.flow.evaluate.prompt
    held_out = bare | {normalise(asked.replace("{question}", text)): name for text, name in bare.items()}
    path = rows_file(session.folder.round(session.round) / "data", role)
    rows = list(_asked(path))
    for text in (text for turns in rows for text in turns):
        if source := held_out.get(normalise(text)):
            raise DataError(
                f"{path} holds a question of {source}, which nothing may be trained on: {text[:80]!r}",
                "nothing was trained on it; leave the file as the run wrote it, or start anew (--fresh)",
            )
    facts = {"round": session.round, "role": role, "rows": len(rows), "questions": len(bare)}
    session.folder.event("held-out-apart", **facts)


def _asked(path: Path) -> Iterator[list[str]]:
    """The user's turns of every row."""
    import pyarrow.parquet as pq

    for batch in pq.ParquetFile(path).iter_batches(columns=["prompt"]):
        for prompt in batch.column("prompt").to_pylist():
            yield [turn["content"] for turn in prompt if turn["role"] == "user"]
