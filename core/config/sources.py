"""Where questions come from."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from synth.config.strict import Strict

__all__ = ["Curriculum", "DataSource"]


class DataSource(Strict):
    """Where questions come from: task families, or a file, folder or hub data set."""

    source: str
    """`tasks`, `instructions` or `topics` (procedural), a path or fsspec URL (jsonl, parquet, csv),
    or `hub:owner/name`."""
    families: tuple[str, ...] = ()
    """Task families to draw from, of `instructions` constraint types or groups (IFEval ids); all that
    are cheap to check when empty. Only for built-in sources."""
    constraints: int = Field(default=1, gt=0)
    """Most constraints a prompt of `instructions` has."""
    least_constraints: int = Field(default=1, gt=0)
    """Fewest it has, as far as that many go together."""
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
    """What an answer looks like; task families know their own, and a row may say it as `answer_kind`."""
    licence: str = ""
    """Licence of the data, carried by every record made from it."""

    @model_validator(mode="after")
    def _constraints_go_together(self) -> DataSource:
        if self.least_constraints > self.constraints:
            raise ValueError(
                f"a prompt with at least {self.least_constraints} constraints cannot have at most "
                f"{self.constraints}; raise constraints"
            )
        return self


class Curriculum(Strict):
    """Which sources of the pool a round draws from: a bandit over them (DUMP, arXiv 2504.09710)."""

    data: str = "profile"
    """Source whose questions the student is asked, to see how much each of the pool's sources teaches."""
    pool: str = "pool"
    """Source that is drawn from. Its parts are its families, or skills."""
    samples: int = Field(default=4, gt=1)
    """Answers to each question; their scores, each against their mean, are the advantages."""
    sample_temperature: float = Field(default=1.0, gt=0)
    """Of these answers."""
    window: int = Field(default=300, gt=0)
    """Latest answers of a source that its mean advantage is taken of (code)."""
    temperature: float = Field(default=0.1, gt=0)
    """Of the softmax over the sources (code): the lower, the more goes to the best one."""
    share: float = Field(default=0.5, gt=0, le=1)
    """Share of the pool's questions that a round draws."""
