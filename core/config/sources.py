"""Where questions come from."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from synth.config.strict import Strict

__all__ = ["DataSource"]


class DataSource(Strict):
    """Where questions come from: task families, or a file, folder or hub data set."""

    source: str
    """`tasks`, `instructions` or `topics` (procedural), a path (jsonl, parquet, csv), or `hub:owner/name`."""
    families: tuple[str, ...] = ()
    """Task families to draw from, of `instructions` constraint types or groups (IFEval ids); all that
    are cheap to check when empty. Only for built-in sources."""
    constraints: int = Field(default=1, gt=0)
    """Most constraints a prompt of `instructions` has."""
    size: int | None = Field(default=None, gt=0)
    """Items to take; for built-in sources items per family."""
    seed: int = 0
    """Seed of procedural items and of the draw when `size` is less than what is there."""
    split: str = "train"
    """Split of a hub data set; of the built-in topics `train` or `test`, which share no topic."""
    config: str | None = None
    """Configuration (subset) of a hub data set."""
    question: str = "question"
    """Field that holds the question."""
    answer: str | None = "answer"
    """Field that holds the answer; `null` for prompts that have no known answer."""
    shape: Literal["questions", "conversations"] = "questions"
    """`conversations`: rows are whole dialogues."""
    skill: str | None = None
    """Field that holds the skill or subject, if there is one."""
    answer_after: str | None = None
    """Take only what follows the last occurrence of this mark in the answer (GSM8K: `####`)."""
    kind: Literal["number", "word", "list", "choice", "math", "text"] = "text"
    """What an answer looks like; task families know their own."""
    licence: str = ""
    """Licence of the data, carried by every record made from it."""
